/** A pod's whole status from what the node knows of it (pure). */

import type {
  Container,
  ContainerStatus as ApiContainerStatus,
  Pod,
  PodStatus,
} from "#cluster/api/generated/core-v1.ts";
import { initContainers, mainContainers } from "#cluster/kubelet/pod-parts.ts";
import { qosClass } from "#cluster/kubelet/resources.ts";
import { podConditions } from "./conditions.ts";
import { type ContainerFacts, containerStatus } from "./container-status.ts";

export interface PodFacts {
  facts: (container: Container) => ContainerFacts;
  hasSandbox: boolean;
  podIp: string | undefined;
  hostIp: string;
  startTime: string;
  /** No container will be started again: the pod is being deleted, or is done. */
  isEnding: boolean;
  /** RFC 3339, for transitions. */
  now: string;
  /** Why the node refused or failed the pod as a whole. */
  failure?: { reason: string; message: string };
}

export function podStatus(pod: Pod, input: PodFacts): PodStatus {
  const { podIp, hostIp } = input;
  const initStatuses = initContainers(pod).map((container) =>
    containerStatus(pod, container, true, input.facts(container)),
  );
  const statuses = mainContainers(pod).map((container) =>
    containerStatus(pod, container, false, input.facts(container)),
  );
  const phase =
    input.failure === undefined ? podPhase(pod, initStatuses, statuses, input.isEnding) : "Failed";
  const conditions = podConditions({
    pod,
    phase,
    initStatuses,
    statuses,
    hasSandbox: input.hasSandbox,
    existing: pod.status?.conditions ?? [],
    now: input.now,
  });
  const generation = pod.metadata.generation;
  return {
    ...(generation === undefined ? {} : { observedGeneration: generation }),
    phase,
    ...input.failure,
    conditions,
    hostIP: hostIp,
    hostIPs: [{ ip: hostIp }],
    ...(podIp === undefined ? {} : { podIP: podIp, podIPs: [{ ip: podIp }] }),
    startTime: input.startTime,
    qosClass: qosClass(pod),
    ...(initStatuses.length === 0 ? {} : { initContainerStatuses: initStatuses }),
    containerStatuses: statuses,
  };
}

/** Kubernetes' getPhase; a pod isn't Succeeded or Failed while anything of it still runs. */
export function podPhase(
  pod: Pod,
  initStatuses: readonly ApiContainerStatus[],
  statuses: readonly ApiContainerStatus[],
  isEnding: boolean,
): string {
  const policy = pod.spec?.restartPolicy ?? "Always";
  const isRunning = [...initStatuses, ...statuses].some(
    ({ state }) => state?.running !== undefined,
  );
  const mainHasRun = statuses.some(({ state, lastState }) =>
    [state?.running, state?.terminated, lastState?.terminated].some((part) => part !== undefined),
  );
  if (!mainHasRun) {
    const failedInit = initContainers(pod).some(({ name, restartPolicy }) => {
      const code = initStatuses.find((status) => status.name === name)?.state?.terminated?.exitCode;
      return restartPolicy !== "Always" && code !== undefined && code !== 0;
    });
    const failed = failedInit && policy === "Never";
    if (isRunning) return "Pending";
    return failed || (isEnding && failedInit) ? "Failed" : "Pending";
  }
  const isWaiting = statuses.some(
    ({ state, lastState }) => state?.waiting !== undefined && lastState?.terminated === undefined,
  );
  if (isWaiting && !isEnding) return "Pending";
  if (isRunning) return "Running";
  const codes = statuses.map(
    ({ state, lastState }) => (state ?? {}).terminated ?? lastState?.terminated,
  );
  const succeeded = codes.every((terminated) => terminated?.exitCode === 0);
  if (isEnding) return succeeded ? "Succeeded" : "Failed";
  if (policy === "Always") return "Running";
  if (statuses.some(({ state }) => state?.terminated === undefined)) return "Running";
  if (succeeded) return "Succeeded";
  return policy === "Never" ? "Failed" : "Running";
}
