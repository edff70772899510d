import { expect, test } from "@jest/globals";
import { Admissions } from "./admissions.ts";

function setup(): { admissions: Admissions; pass: (ms: number) => void } {
  let now = 0;
  let due: { at: number; run: () => void }[] = [];
  const admissions = new Admissions(
    { perSecond: 10, burst: 2 },
    { now: () => now, after: (ms, run) => void due.push({ at: now + ms, run }) },
  );
  const pass = (ms: number): void => {
    for (const end = now + ms; now < end; now++) {
      const ready = due.filter(({ at }) => at <= now);
      due = due.filter(({ at }) => at > now);
      for (const { run } of ready) run();
    }
  };
  return { admissions, pass };
}

test("newcomers enter at once after a quiet time, then at the rate, in their order", () => {
  const { admissions, pass } = setup();
  const entered: number[] = [];
  for (let index = 0; index < 5; index++) admissions.enter(() => entered.push(index));
  expect(entered).toEqual([0, 1]);
  pass(110);
  expect(entered).toEqual([0, 1, 2]);
  pass(300);
  expect(entered).toEqual([0, 1, 2, 3, 4]);
  pass(1000);
  admissions.enter(() => entered.push(5));
  expect(entered).toHaveLength(6);
});

test("who gives up costs nobody a turn", () => {
  const { admissions, pass } = setup();
  const entered: number[] = [];
  const leave = [0, 1, 2, 3].map((index) => admissions.enter(() => entered.push(index)));
  leave[2]?.();
  expect(admissions.waiting).toBe(1);
  pass(110);
  expect(entered).toEqual([0, 1, 3]);
});
