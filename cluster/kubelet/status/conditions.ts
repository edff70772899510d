/** The kubelet's conditions of a pod, in Kubernetes' words (pure). */

import type {
  ContainerStatus as ApiContainerStatus,
  Pod,
  PodCondition,
} from "#cluster/api/generated/core-v1.ts";
import { isSidecar } from "#cluster/kubelet/pod-parts.ts";

type Condition = Pick<PodCondition, "type" | "status" | "reason" | "message">;

export interface ConditionInput {
  pod: Pod;
  phase: string;
  initStatuses: readonly ApiContainerStatus[];
  statuses: readonly ApiContainerStatus[];
  /** The pod's network is there. */
  hasSandbox: boolean;
  /** All conditions that the pod has now, also those of others. */
  existing: readonly PodCondition[];
  now: string;
}

/** The five conditions with their times, followed by what others have written. */
export function podConditions(input: ConditionInput): PodCondition[] {
  const ready = containersReady(input);
  const scheduled = input.existing.find(({ type }) => type === "PodScheduled");
  const own: Condition[] = [
    { type: "PodReadyToStartContainers", status: bool(input.hasSandbox) },
    initialized(input),
    podReady(input, ready),
    ready,
    { type: "PodScheduled", status: scheduled?.status ?? "True" },
  ];
  const names = new Set(own.map(({ type }) => type));
  return [
    ...own.map((condition) => timed(condition, input)),
    ...input.existing.filter(({ type }) => !names.has(type)),
  ];
}

function timed(condition: Condition, input: ConditionInput): PodCondition {
  const old = input.existing.find(({ type }) => type === condition.type);
  const same = old !== undefined && old.status === condition.status;
  const generation = input.pod.metadata.generation;
  return {
    type: condition.type,
    ...(generation === undefined ? {} : { observedGeneration: generation }),
    status: condition.status,
    lastProbeTime: undefined,
    lastTransitionTime: same ? old.lastTransitionTime : input.now,
    ...(condition.reason === undefined ? {} : { reason: condition.reason }),
    ...(condition.message === undefined ? {} : { message: condition.message }),
  };
}

function initialized(input: ConditionInput): Condition {
  const { pod, phase, initStatuses, statuses } = input;
  const type = "Initialized";
  if (phase === "Succeeded") return { type, status: "True", reason: "PodCompleted" };
  const mainHasRun = statuses.some(
    ({ state, lastState }) =>
      state?.running !== undefined ||
      state?.terminated !== undefined ||
      lastState?.terminated !== undefined,
  );
  if (mainHasRun) return { type, status: "True" };
  const incomplete = (pod.spec?.initContainers ?? []).filter((container) => {
    const status = initStatuses.find(({ name }) => name === container.name);
    return isSidecar(container) ? status?.started !== true : status?.ready !== true;
  });
  if (incomplete.length === 0) return { type, status: "True" };
  return {
    type,
    status: "False",
    reason: "ContainersNotInitialized",
    message: `containers with incomplete status: [${incomplete.map(({ name }) => name).join(" ")}]`,
  };
}

function containersReady(input: ConditionInput): Condition {
  const { pod, phase, initStatuses, statuses } = input;
  const type = "ContainersReady";
  if (phase === "Failed") return { type, status: "False", reason: "PodFailed" };
  if (phase === "Succeeded") return { type, status: "False", reason: "PodCompleted" };
  const counted = [
    ...(pod.spec?.initContainers ?? []).filter(isSidecar),
    ...(pod.spec?.containers ?? []),
  ];
  const unready = counted.filter(
    ({ name }) =>
      [...initStatuses, ...statuses].find((status) => status.name === name)?.ready !== true,
  );
  if (unready.length === 0) return { type, status: "True" };
  return {
    type,
    status: "False",
    reason: "ContainersNotReady",
    message: `containers with unready status: [${unready.map(({ name }) => name).join(" ")}]`,
  };
}

function podReady(input: ConditionInput, ready: Condition): Condition {
  const type = "Ready";
  if (ready.status !== "True") return { ...ready, type };
  const problems = (input.pod.spec?.readinessGates ?? []).flatMap(({ conditionType }) => {
    const condition = input.existing.find((existing) => existing.type === conditionType);
    if (condition === undefined) {
      return [`corresponding condition of pod readiness gate "${conditionType}" does not exist.`];
    }
    return condition.status === "True"
      ? []
      : [
          `the status of pod readiness gate "${conditionType}" is not "True", but ${condition.status}`,
        ];
  });
  if (problems.length === 0) return { type, status: "True" };
  return { type, status: "False", reason: "ReadinessGatesNotReady", message: problems.join(", ") };
}

function bool(value: boolean): string {
  return value ? "True" : "False";
}
