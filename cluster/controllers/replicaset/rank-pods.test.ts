import { expect, test } from "@jest/globals";
import type { Pod } from "#cluster/api/generated/core-v1.ts";
import { rankForDeletion } from "./rank-pods.ts";

interface Traits {
  node?: string;
  phase?: string;
  readySince?: string;
  cost?: string;
  restarts?: number;
  created?: string;
}

function pod(name: string, traits: Traits): Pod {
  const { node = "n1", phase = "Running", readySince, cost, restarts = 0, created } = traits;
  return {
    metadata: {
      name,
      creationTimestamp: created ?? "2026-01-01T00:00:00Z",
      ...(cost === undefined
        ? {}
        : { annotations: { "controller.kubernetes.io/pod-deletion-cost": cost } }),
    },
    spec: { nodeName: node, containers: [] },
    status: {
      phase,
      conditions: [
        readySince === undefined
          ? { type: "Ready", status: "False" }
          : { type: "Ready", status: "True", lastTransitionTime: readySince },
      ],
      containerStatuses: [
        { name: "c", restartCount: restarts, ready: true, image: "i", imageID: "i" },
      ],
    },
  };
}

const OLD = "2026-01-01T00:00:00Z";
const NEW = "2026-01-02T00:00:00Z";

test.each<[string, Traits, Traits]>([
  ["unassigned before assigned", { node: "", phase: "Pending" }, { phase: "Pending" }],
  ["pending before running", { phase: "Pending" }, { phase: "Running" }],
  ["not ready before ready", {}, { readySince: OLD }],
  ["cheap before dear", { readySince: OLD, cost: "-5" }, { readySince: NEW }],
  ["on the fuller node first", { readySince: OLD, node: "full" }, { readySince: NEW }],
  ["ready for a shorter time first", { readySince: NEW }, { readySince: OLD }],
  ["more restarts first", { readySince: OLD, restarts: 3 }, { readySince: OLD }],
  ["newer first", { created: NEW }, { created: OLD }],
])("%s", (_, first, second) => {
  const a = pod("first", first);
  const b = pod("second", second);
  const siblings = [a, b, pod("sibling", { node: "full" })];
  for (const order of [
    [a, b],
    [b, a],
  ]) {
    const ranked = rankForDeletion(order, siblings).map(({ metadata }) => metadata.name);
    expect(ranked).toEqual(["first", "second"]);
  }
});
