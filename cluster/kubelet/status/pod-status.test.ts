import { describe, expect, test } from "@jest/globals";
import type { ContainerStatus as ApiContainerStatus, Pod } from "#cluster/api/generated/core-v1.ts";
import { podPhase } from "./pod-status.ts";
import { podConditions } from "./conditions.ts";

const running = { state: { running: {} } };
const ended = (exitCode: number) => ({ state: { terminated: { exitCode } } });
const backingOff = {
  state: { waiting: { reason: "CrashLoopBackOff" } },
  lastState: { terminated: { exitCode: 1 } },
};
const waiting = { state: { waiting: { reason: "ContainerCreating" } } };

type Part = Partial<ApiContainerStatus>;

const named = (parts: readonly Part[], prefix: string): ApiContainerStatus[] =>
  parts.map((part, index) => ({
    name: `${prefix}${index}`,
    ready: false,
    restartCount: 0,
    image: "",
    imageID: "",
    ...part,
  }));

function podOf(init: number, main: number, policy: string, sidecar = false): Pod {
  const restartPolicy = sidecar ? "Always" : undefined;
  return {
    metadata: { name: "example", generation: 3 },
    spec: {
      restartPolicy: policy,
      initContainers: Array.from({ length: init }, (_, i) => ({ name: `i${i}`, restartPolicy })),
      containers: Array.from({ length: main }, (_, i) => ({ name: `m${i}` })),
    },
  };
}

describe("phase", () => {
  test.each<[string, Part[], string, boolean, string]>([
    ["nothing started", [waiting, waiting], "Always", false, "Pending"],
    ["one started", [running, waiting], "Always", false, "Pending"],
    ["all run", [running, running], "Always", false, "Running"],
    ["one backs off", [running, backingOff], "Always", false, "Running"],
    ["all have succeeded", [ended(0), ended(0)], "Never", false, "Succeeded"],
    ["one has failed, one runs", [ended(1), running], "Never", false, "Running"],
    ["one has failed", [ended(1), ended(0)], "Never", false, "Failed"],
    ["one has failed and is restarted", [backingOff, ended(0)], "OnFailure", false, "Running"],
    ["all have ended, but are restarted", [ended(0), ended(1)], "Always", false, "Running"],
    ["it is deleted", [ended(0), ended(143)], "Always", true, "Failed"],
    ["it is deleted and ended well", [ended(0), ended(0)], "Always", true, "Succeeded"],
  ])("%s", (_what, main, policy, isEnding, wanted) => {
    const pod = podOf(0, main.length, policy);
    expect(podPhase(pod, [], named(main, "m"), isEnding)).toBe(wanted);
  });

  test("a pod isn't done while its sidecar runs, and a failed init container ends it", () => {
    const withSidecar = podOf(1, 1, "Never", true);
    expect(podPhase(withSidecar, named([running], "i"), named([ended(0)], "m"), true)).toBe(
      "Running",
    );
    const pod = podOf(1, 1, "Never");
    expect(podPhase(pod, named([ended(2)], "i"), named([waiting], "m"), false)).toBe("Failed");
    expect(
      podPhase(podOf(1, 1, "Always"), named([ended(2)], "i"), named([waiting], "m"), false),
    ).toBe("Pending");
  });
});

describe("conditions", () => {
  const conditionsOf = (parts: Part[], existing: Pod["status"] = {}) =>
    podConditions({
      pod: podOf(0, parts.length, "Always"),
      phase: "Running",
      initStatuses: [],
      statuses: named(parts, "m"),
      hasSandbox: true,
      existing: existing.conditions ?? [],
      now: "2026-01-01T00:00:09Z",
    });

  test("times change with the status only; conditions of others stay", () => {
    const conditions = conditionsOf([{ ...running, ready: true }], {
      conditions: [
        { type: "Ready", status: "True", lastTransitionTime: "2026-01-01T00:00:01Z" },
        { type: "ContainersReady", status: "False", lastTransitionTime: "2026-01-01T00:00:02Z" },
        { type: "example.org/gate", status: "True" },
      ],
    });
    const find = (type: string) => conditions.find((condition) => condition.type === type);
    expect(find("Ready")?.lastTransitionTime).toBe("2026-01-01T00:00:01Z");
    expect(find("ContainersReady")?.lastTransitionTime).toBe("2026-01-01T00:00:09Z");
    expect(conditions.at(-1)).toEqual({ type: "example.org/gate", status: "True" });
  });

  test("what isn't ready is named", () => {
    const ready = conditionsOf([running, { ...running, ready: true }]).find(
      ({ type }) => type === "Ready",
    );
    expect(ready).toMatchObject({
      status: "False",
      reason: "ContainersNotReady",
      message: "containers with unready status: [m0]",
      observedGeneration: 3,
    });
  });
});
