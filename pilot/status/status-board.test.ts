import { describe, expect, test } from "@jest/globals";
import { ConvergenceTracker } from "./convergence.ts";
import type { ConnectedProxy } from "./convergence.ts";
import type { ObjectStatus, WeighedProblem } from "./object-status.ts";
import type { ScopeTables } from "./origin-index.ts";
import type { ReplicaEntry, Replicas } from "./replicas.ts";
import { StatusBoard } from "./status-board.ts";
import { refusalProblems } from "./refusals.ts";
import { ROUTES } from "#pilot/cache/type-url.ts";

const KEY = "VirtualService/default/web";

interface World {
  board: StatusBoard;
  tracker: ConvergenceTracker;
  proxy: ConnectedProxy & { states: ScopeTables[] };
  problems: WeighedProblem[];
  vain: WeighedProblem[];
  served: Map<string, number>;
  others: (ReplicaEntry | undefined)[];
  written: ObjectStatus[];
  clock: { now: number };
  /** Does what is due until there is nothing to do, and tells what was written. */
  settle: () => Record<string, string>;
}

function start(): World {
  const scope: ScopeTables = { scope: { stands: KEY }, tables: () => [] };
  const proxy = { proxyId: "a", states: [scope] };
  const clock = { now: 0 };
  const later: { at: number; run: () => void }[] = [];
  const tracker = new ConvergenceTracker({
    connections: () => [proxy],
    now: () => clock.now,
    onProgress: () => board.noteChange(),
  });
  const world = {
    tracker,
    proxy,
    problems: [] as WeighedProblem[],
    vain: [] as WeighedProblem[],
    served: new Map<string, number>(),
    others: [] as (ReplicaEntry | undefined)[],
    written: [] as ObjectStatus[],
    clock,
  };
  const board: StatusBoard = new StatusBoard({
    tracker,
    servedGeneration: (key) => world.served.get(key),
    problems: () => world.problems,
    inspect: () => world.vain,
    write(object, status) {
      world.written.push(status);
      board.observe({ ...object, status });
    },
    replicas: { of: () => world.others, report: () => undefined } as unknown as Replicas,
    now: () => clock.now,
    after: (ms, run) => later.push({ at: clock.now + ms, run }),
  });
  board.start();
  return {
    ...world,
    board,
    get others() {
      return world.others;
    },
    set others(list) {
      world.others = list;
    },
    settle() {
      for (let round = 0; later.length > 0 && round < 200; round++) {
        const { at, run } = later.shift()!;
        clock.now = Math.max(clock.now, at);
        run();
      }
      const conditions = world.written.at(-1)?.conditions ?? [];
      return Object.fromEntries(conditions.map((one) => [one.type, `${one.status} ${one.reason}`]));
    },
  };
}

function change(world: World, generation: number): void {
  const { board, tracker, proxy, served, clock } = world;
  board.observe({ key: KEY, apiVersion: "networking.istio.io/v1", generation, status: undefined });
  served.set(KEY, generation);
  tracker.pushed({ objects: [KEY], reached: [proxy], sinceMs: clock.now });
  board.pushed([KEY]);
}

describe("a status", () => {
  test("is written once a change, when it is live", () => {
    const world = start();
    change(world, 1);
    world.tracker.converged(world.proxy);
    expect(world.settle()).toEqual({
      Applied: "True Live",
      Complete: "True NothingIgnored",
      Reconciled: "True UpToDate",
    });
    world.board.noteChange();
    world.settle();
    expect(world.written).toHaveLength(1);
  });

  test("says so when some proxy takes long, and again when it is done", () => {
    const world = start();
    change(world, 1);
    expect(world.settle()["Applied"]).toBe("Unknown Waiting");
    expect(world.clock.now).toBeGreaterThanOrEqual(3000);
    world.tracker.converged(world.proxy);
    expect(world.settle()["Applied"]).toBe("True Live");
    expect(world.written).toHaveLength(2);
  });

  test("is never about a generation that proxies haven't been told", () => {
    const world = start();
    change(world, 1);
    world.tracker.converged(world.proxy);
    world.settle();
    const { board } = world;
    board.observe({ key: KEY, apiVersion: "v1", generation: 2, status: undefined });
    world.settle();
    expect(world.written.map((one) => one.observedGeneration)).toEqual([1]);
    change(world, 2);
    world.tracker.converged(world.proxy);
    world.settle();
    expect(world.written.at(-1)?.observedGeneration).toBe(2);
  });

  test("follows problems that come and go with other objects", () => {
    const world = start();
    change(world, 1);
    world.tracker.converged(world.proxy);
    world.settle();
    const path = "spec.http[0]";
    const severity = "warning" as const;
    world.problems.push({ object: KEY, path, reason: "UnknownHost", message: "no", severity });
    world.board.noteChange();
    expect(world.settle()["Complete"]).toBe("False UnknownHost");
    expect(world.written.at(-1)?.validationMessages).toMatchObject([{ path, level: "WARNING" }]);
    world.problems.length = 0;
    world.board.noteChange();
    expect(world.settle()["Complete"]).toBe("True NothingIgnored");
  });

  test("tells what an object names in vain until that comes", () => {
    const world = start();
    world.vain.push({
      object: KEY,
      path: "spec.gateways[0]",
      reason: "UnknownGateway",
      message: "",
    });
    change(world, 1);
    world.tracker.converged(world.proxy);
    expect(world.settle()["Complete"]).toBe("False UnknownGateway");
    world.vain.length = 0;
    world.board.pushed(["Gateway/default/edge"]);
    expect(world.settle()["Complete"]).toBe("True NothingIgnored");
  });

  test("of an object that nothing can be made of says so, whatever is served", () => {
    const world = start();
    const problem = { object: KEY, path: "spec", reason: "Malformed", message: "no list" };
    world.problems.push(problem);
    world.board.observe({ key: KEY, apiVersion: "v1", generation: 3, status: undefined });
    expect(world.settle()["Applied"]).toBe("False Malformed");
  });

  test("tells of proxies that came later", () => {
    const world = start();
    const { states } = world.proxy;
    const here = states.splice(0);
    change(world, 1);
    world.tracker.converged(world.proxy);
    expect(world.settle()["Applied"]).toBe("True NoProxyConcerned");
    states.push(...here);
    world.board.proxiesCame();
    expect(world.settle()["Applied"]).toBe("True Live");
  });

  test("of an object that was deleted is never written", () => {
    const world = start();
    change(world, 1);
    world.board.gone(KEY);
    world.settle();
    expect(world.written).toEqual([]);
  });

  test("keeps conditions of others, and the time since when it is so", () => {
    const world = start();
    const mine = { type: "Mine", status: "True" };
    const before = { type: "Applied", status: "True", lastTransitionTime: "2020-01-01T00:00:00Z" };
    const status = { conditions: [mine, before] };
    world.served.set(KEY, 1);
    world.board.observe({ key: KEY, apiVersion: "v1", generation: 1, status });
    world.settle();
    expect(world.written[0]?.conditions).toMatchObject([
      mine,
      { type: "Applied", lastTransitionTime: "2020-01-01T00:00:00Z" },
      { type: "Complete", lastTransitionTime: "1970-01-01T00:00:00Z" },
      { type: "Reconciled" },
    ]);
  });
});

describe("with other replicas", () => {
  const entry = (
    generation: number,
    live: number,
    problems: WeighedProblem[] = [],
  ): ReplicaEntry => ({
    generation,
    figure: { proxies: 4, live },
    problems,
  });

  test("the figures are added up, and each is waited for", () => {
    const world = start();
    world.others = [entry(1, 4), undefined];
    change(world, 2);
    world.tracker.converged(world.proxy);
    world.others = [entry(2, 4), entry(2, 4)];
    expect(world.settle()["Applied"]).toBe("True Live");
    expect(world.written.at(-1)?.conditions[0]?.message).toMatch(/^live on 9\/9 proxies/);
  });

  test("one that says nothing for long is left out", () => {
    const world = start();
    world.others = [entry(1, 4)];
    change(world, 2);
    world.tracker.converged(world.proxy);
    expect(world.settle()["Applied"]).toBe("True Live");
    expect(world.written.at(-1)?.conditions[0]?.message).toMatch(/^live on 1\/1 proxies/);
    expect(world.clock.now).toBeGreaterThanOrEqual(10_000);
  });

  test("what their proxies refuse counts", () => {
    const world = start();
    const [problem] = refusalProblems([
      {
        proxyId: "b",
        type: ROUTES,
        message: "no such\n  filter",
        resources: [{ name: "80", origins: [{ object: KEY, path: "spec.http[0]" }] }],
      },
    ]);
    world.others = [entry(1, 4, problem === undefined ? [] : [problem])];
    change(world, 1);
    world.tracker.converged(world.proxy);
    expect(world.settle()["Applied"]).toBe("False RefusedByProxy");
    expect(world.written[0]?.conditions[0]?.message).toBe(
      "spec.http[0]: 1 proxy refuses what it makes of rds 80: no such filter",
    );
  });
});

describe("a refusal", () => {
  const refusal = (proxyId: string, origins: { object: string; path: string }[]): never =>
    ({ proxyId, type: ROUTES, message: "no", resources: [{ name: "80", origins }] }) as never;

  test("is of the object that can have caused it, at the field that all have in common", () => {
    const origins = [
      { object: "Service/default/web", path: "" },
      { object: "Gateway/default/edge", path: "spec.servers[0]" },
      { object: KEY, path: "spec.http[0].route[0]" },
      { object: KEY, path: "spec.http[0].timeout" },
    ];
    expect(refusalProblems([refusal("a", origins), refusal("b", origins)])).toEqual([
      {
        object: KEY,
        path: "spec.http[0]",
        reason: "RefusedByProxy",
        message: "2 proxies refuse what it makes of rds 80: no",
      },
    ]);
    const patched = [
      ...origins,
      { object: "EnvoyFilter/default/x", path: "spec.configPatches[2]" },
    ];
    expect(refusalProblems([refusal("a", patched)])).toMatchObject([
      { object: "EnvoyFilter/default/x", path: "spec.configPatches[2]" },
    ]);
  });
});
