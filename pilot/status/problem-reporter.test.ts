import { describe, expect, test } from "@jest/globals";
import { ProblemReporter, textOf } from "./problem-reporter.ts";
import type { ReportedProblem } from "./problem-reporter.ts";

const problem = (name: string): ReportedProblem => ({
  object: `VirtualService/default/${name}`,
  path: "spec.http[0].timeout",
  reason: "InvalidDuration",
  message: "soon is not a duration",
});

function start(): {
  current: ReportedProblem[];
  told: string[];
  settle: () => void;
  reporter: ProblemReporter;
} {
  const later: (() => void)[] = [];
  const world = {
    current: [] as ReportedProblem[],
    told: [] as string[],
    settle: () => {
      for (const run of later.splice(0)) run();
    },
  };
  const reporter = new ProblemReporter({
    current: () => world.current,
    tell: (one) => world.told.push(textOf(one)),
    after: (_, run) => later.push(run),
  });
  return Object.assign(world, { reporter });
}

describe("the problem reporter", () => {
  test("says a problem once, and again when it has come back", () => {
    const world = start();
    world.current = [problem("a"), problem("a")];
    world.reporter.noteChange();
    world.settle();
    world.reporter.noteChange();
    world.settle();
    expect(world.told).toEqual([
      "VirtualService/default/a: spec.http[0].timeout: soon is not a duration (InvalidDuration)",
    ]);
    world.current = [];
    world.reporter.noteChange();
    world.settle();
    world.current = [problem("a")];
    world.reporter.noteChange();
    world.settle();
    expect(world.told).toHaveLength(2);
  });

  test("keeps quiet about what was only on the way", () => {
    const world = start();
    world.current = [problem("a")];
    world.reporter.noteChange();
    world.current = [];
    world.settle();
    expect(world.told).toEqual([]);
  });

  test("spreads very many over several looks", () => {
    const world = start();
    world.current = Array.from({ length: 250 }, (_, index) => problem(`p${index}`));
    world.reporter.noteChange();
    world.settle();
    expect(world.told).toHaveLength(100);
    world.settle();
    world.settle();
    world.settle();
    expect(world.told).toHaveLength(250);
  });
});
