import { describe, expect, test } from "@jest/globals";
import type { Container, Pod } from "#cluster/api/generated/core-v1.ts";
import type { ContainerStatus } from "#cluster/runtime/container.ts";
import { specHash } from "./container-config.ts";
import { type ContainerView, computePodActions } from "./pod-actions.ts";

const container = (name: string, more: Partial<Container> = {}): Container => ({
  name,
  image: "example.org/x",
  ...more,
});

const POD: Pod = {
  metadata: { name: "example", namespace: "default", uid: "1" },
  spec: {
    initContainers: [
      container("init"),
      container("sidecar", { restartPolicy: "Always" }),
      container("late-init"),
    ],
    containers: [container("a"), container("b")],
  },
};

type State = "running" | "starting" | "failing" | number;

/** Actions when containers are in these states; a number is an exit code. */
function actions(states: Record<string, State>, policy = "Always"): string {
  const pod = {
    ...POD,
    spec: { ...POD.spec, containers: POD.spec?.containers ?? [], restartPolicy: policy },
  };
  const result = computePodActions(pod, (asked): ContainerView => {
    const state = states[asked.name];
    return {
      latest: state === undefined ? undefined : statusOf(asked, state),
      started: state === "running" || state === "failing",
      failedProbe: state === "failing" ? "liveness" : undefined,
    };
  });
  if (result.finished) return "finished";
  const kill = result.kill.map((entry) => `kill ${entry.container.name}`);
  return [...kill, ...result.start.map(({ name }) => `start ${name}`)].join(", ");
}

function statusOf(asked: Container, state: State): ContainerStatus {
  const isExited = typeof state === "number";
  return {
    id: asked.name,
    identity: {
      podUid: "1",
      podNamespace: "default",
      podName: "example",
      name: asked.name,
      attempt: 0,
    },
    specHash: specHash(asked),
    imageReference: "",
    imageRef: "",
    state: isExited ? "exited" : "running",
    createdAt: "",
    exitCode: isExited ? state : undefined,
    logPath: "",
    tty: false,
  };
}

describe("what is to be done for a pod", () => {
  test.each<[string, Record<string, State>, string]>([
    ["nothing has run", {}, "start init"],
    ["the first init container runs", { init: "running" }, ""],
    ["it has failed", { init: 1 }, "start init"],
    ["it has succeeded", { init: 0 }, "start sidecar"],
    ["the sidecar isn't started yet", { init: 0, sidecar: "starting" }, ""],
    ["the sidecar is started", { init: 0, sidecar: "running" }, "start late-init"],
    ["all init is done", { init: 0, sidecar: "running", "late-init": 0 }, "start a, start b"],
    ["all run", { init: 0, sidecar: "running", "late-init": 0, a: "running", b: "running" }, ""],
    [
      "a main container and the sidecar have ended",
      { init: 0, sidecar: 0, "late-init": 0, a: 0, b: "running" },
      "start sidecar, start a",
    ],
    [
      "probes fail",
      { init: 0, sidecar: "failing", "late-init": 0, a: "failing", b: "running" },
      "kill sidecar, kill a",
    ],
    ["init containers' files are gone", { sidecar: "running", a: "running", b: "running" }, ""],
  ])("when %s", (_what, states, wanted) => {
    expect(actions(states)).toBe(wanted);
  });

  const done = { init: 0, sidecar: "running", "late-init": 0 } as const;

  test.each<[string, Record<string, State>, string, string]>([
    ["Never", { ...done, a: 0, b: 1 }, "finished", "Never restarts nothing"],
    ["Never", { ...done, a: 0, b: "running" }, "", "Never waits for the rest"],
    ["Never", { init: 3 }, "finished", "Never gives up after a failed init container"],
    ["OnFailure", { ...done, a: 0, b: 1 }, "start b", "OnFailure restarts what failed"],
    ["OnFailure", { ...done, a: 0, b: 0 }, "finished", "OnFailure ends when all succeeded"],
  ])("%s: %j → %s", (policy, states, wanted) => {
    expect(actions(states, policy)).toBe(wanted);
  });
});
