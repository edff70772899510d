import { describe, expect, test } from "@jest/globals";
import type { Deployment, ReplicaSet } from "#cluster/api/generated/apps-v1.ts";
import { isScaling, scaleSizes } from "./proportional-scale.ts";
import { nextRollingMove } from "./rolling-update.ts";
import type { Resize } from "./rolling-update.ts";
import { rolloutSpecOf } from "./rollout-spec.ts";

/** `[wanted, available]`, and for scaling the size that was wanted at the last sizing. */
type Size = [wanted: number, available: number, desired?: number, max?: number];

function set(name: string, [replicas, available, desired, max]: Size): ReplicaSet {
  return {
    metadata: {
      name,
      creationTimestamp: name === "new" ? "2026-01-02T00:00:00Z" : "2026-01-01T00:00:00Z",
      annotations:
        desired === undefined
          ? {}
          : {
              "deployment.kubernetes.io/desired-replicas": String(desired),
              "deployment.kubernetes.io/max-replicas": String(max),
            },
    },
    spec: { replicas, selector: {} },
    status: { replicas, availableReplicas: available },
  };
}

function deployment(
  replicas: number,
  maxSurge: number | string,
  maxUnavailable: number | string,
): Deployment {
  return {
    metadata: { name: "web" },
    spec: {
      replicas,
      selector: {},
      template: {},
      strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge, maxUnavailable } },
    },
  };
}

function sizes(resizes: readonly Resize[]): Record<string, number> {
  return Object.fromEntries(
    resizes.map(({ replicaSet, replicas }) => [replicaSet.metadata.name, replicas]),
  );
}

describe("limits", () => {
  test.each([
    [10, "25%", "25%", 3, 2],
    [1, "25%", "25%", 1, 0],
    [4, 0, 0, 0, 1],
    [4, "0%", "10%", 0, 1],
    [2, 1, 5, 1, 2],
    [0, "25%", "25%", 0, 1],
  ])("%i replicas, surge %s, unavailable %s: %i and %i pods", (replicas, s, u, surge, missing) => {
    const { maxSurge, maxUnavailable } = rolloutSpecOf(deployment(replicas, s, u));
    expect([maxSurge, replicas === 0 ? 1 : maxUnavailable]).toEqual([surge, missing]);
  });
});

describe("rolling update", () => {
  test.each<[string, [number, number, number], Record<string, Size>, Record<string, number>]>([
    ["the new one grows within the surge", [10, 3, 2], { new: [0, 0], a: [10, 10] }, { new: 3 }],
    ["then the old shrink to the minimum", [10, 3, 2], { new: [3, 0], a: [10, 10] }, { a: 8 }],
    ["and nothing happens until pods are there", [10, 3, 2], { new: [5, 0], a: [8, 8] }, {}],
    ["available new pods let old ones go", [10, 3, 2], { new: [5, 5], a: [8, 8] }, { a: 3 }],
    ["broken old pods go first", [4, 0, 1], { new: [0, 0], a: [2, 0], b: [2, 2] }, { a: 1 }],
    ["no surge: first shrink", [4, 0, 1], { new: [0, 0], a: [4, 4] }, { a: 3 }],
    ["no surge: then grow", [4, 0, 1], { new: [0, 0], a: [3, 3] }, { new: 1 }],
    ["too large: shrink the new one", [3, 1, 0], { new: [5, 5] }, { new: 3 }],
    ["done", [3, 1, 0], { new: [3, 3], a: [0, 0] }, {}],
    ["a new template that never starts keeps the old", [1, 1, 0], { new: [1, 0], a: [1, 1] }, {}],
  ])("%s", (_, [replicas, surge, unavailable], world, wanted) => {
    const spec = rolloutSpecOf(deployment(replicas, surge, unavailable));
    const all = Object.entries(world).map(([name, size]) => set(name, size));
    const current = all.find(({ metadata }) => metadata.name === "new");
    const old = all.filter((replicaSet) => replicaSet !== current);
    expect(sizes(nextRollingMove(spec, { current, old }))).toEqual(wanted);
  });

  test("a status that lags behind a smaller size makes room for nothing", () => {
    const spec = rolloutSpecOf(deployment(10, 2, 2));
    const shrunk = { ...set("a", [8, 10]), status: { replicas: 10, availableReplicas: 10 } };
    const sets = { current: set("new", [2, 0]), old: [shrunk] };
    expect(sizes(nextRollingMove(spec, sets))).toEqual({});
  });

  test("every move keeps the surge and the available minimum, until done", () => {
    for (let replicas = 1; replicas < 12; replicas += 1) {
      for (const [surge, unavailable] of [
        [1, 0],
        [0, 1],
        ["25%", "25%"],
        ["100%", 0],
        [2, 3],
      ] as const) {
        const spec = rolloutSpecOf(deployment(replicas, surge, unavailable));
        const sizeOf = new Map([
          ["new", 0],
          ["a", replicas],
        ]);
        let moves = 0;
        for (; moves < 100; moves += 1) {
          const current = set("new", [sizeOf.get("new") ?? 0, sizeOf.get("new") ?? 0]);
          const old = [set("a", [sizeOf.get("a") ?? 0, sizeOf.get("a") ?? 0])];
          const next = sizes(nextRollingMove(spec, { current, old }));
          if (Object.keys(next).length === 0) break;
          for (const [name, size] of Object.entries(next)) sizeOf.set(name, size);
          const total = (sizeOf.get("new") ?? 0) + (sizeOf.get("a") ?? 0);
          expect(total).toBeLessThanOrEqual(replicas + spec.maxSurge);
          expect(total).toBeGreaterThanOrEqual(replicas - spec.maxUnavailable);
        }
        expect(Object.fromEntries(sizeOf)).toEqual({ new: replicas, a: 0 });
      }
    }
  });
});

describe("scaling", () => {
  test.each<[string, [number, number], Record<string, Size>, Record<string, number>]>([
    ["one active set takes all", [7, 1], { new: [3, 3, 3, 4] }, { new: 7 }],
    ["none active: the current one", [2, 1], { new: [0, 0, 0, 0], a: [0, 0, 0, 0] }, { new: 2 }],
    [
      "in the middle of a rollout both grow",
      [20, 2],
      { new: [3, 3, 10, 12], a: [9, 9, 10, 12] },
      { a: 17, new: 5 },
    ],
    ["and both shrink", [5, 2], { new: [3, 3, 10, 12], a: [9, 9, 10, 12] }, { a: 5, new: 2 }],
    ["to zero", [0, 2], { new: [3, 3, 10, 12], a: [9, 9, 10, 12] }, { a: 0, new: 0 }],
  ])("%s", (_, [replicas, surge], world, wanted) => {
    const owner = deployment(replicas, surge, 0);
    const spec = rolloutSpecOf(owner);
    const all = Object.entries(world).map(([name, size]) => set(name, size));
    const current = all.find(({ metadata }) => metadata.name === "new");
    const old = all.filter((replicaSet) => replicaSet !== current);
    expect(sizes(scaleSizes(owner, spec, { current, old }))).toEqual(wanted);
  });

  test("is what changed desired-replicas, not what a rollout does", () => {
    const spec = rolloutSpecOf(deployment(10, 2, 0));
    const sets = { current: set("new", [3, 3, 10, 12]), old: [set("a", [9, 9, 10, 12])] };
    expect(isScaling(spec, sets)).toBe(false);
    expect(isScaling({ ...spec, replicas: 11 }, sets)).toBe(true);
  });
});
