/** A container's part of a pod's status, as Kubernetes writes it (pure). */

import type {
  Container,
  ContainerState,
  ContainerStatus as ApiContainerStatus,
  Pod,
} from "#cluster/api/generated/core-v1.ts";
import { isSidecar } from "#cluster/kubelet/pod-parts.ts";
import type { ContainerStatus } from "#cluster/runtime/container.ts";

/** All that is known of one container. */
export interface ContainerFacts {
  latest: ContainerStatus | undefined;
  /** The attempt before the latest. */
  previous: ContainerStatus | undefined;
  /** Why it isn't started now, when it should be (ErrImagePull, CrashLoopBackOff, …). */
  waiting: { reason: string; message: string } | undefined;
  /** Its last words, by attempt. */
  terminationMessage: (attempt: number) => string | undefined;
  started: boolean;
  ready: boolean;
  /** What the API server has of it; its attempts may be gone from this node. */
  reported: ApiContainerStatus | undefined;
}

/** The `type://id` of a container in statuses. */
export function containerId(status: ContainerStatus): string {
  return `lateen://${status.id}`;
}

export function containerStatus(
  pod: Pod,
  container: Container,
  isInit: boolean,
  facts: ContainerFacts,
): ApiContainerStatus {
  const { latest, previous, waiting, reported } = facts;
  const running = latest?.state === "running";
  const state = stateOf(pod, facts);
  const lastState = lastStateOf(facts, state);
  const done = isInit && !isSidecar(container);
  return {
    name: container.name,
    state,
    lastState,
    ready: done ? latest?.state === "exited" && latest.exitCode === 0 : running && facts.ready,
    restartCount: latest?.identity.attempt ?? reported?.restartCount ?? 0,
    image: latest?.imageReference ?? container.image ?? "",
    imageID: latest?.imageRef ?? "",
    ...(latest === undefined ? {} : { containerID: containerId(latest) }),
    ...(latest === undefined && previous === undefined && waiting === undefined
      ? { started: false }
      : { started: running && facts.started && !done }),
  };
}

function stateOf(pod: Pod, facts: ContainerFacts): ContainerState {
  const { latest, waiting, terminationMessage } = facts;
  if (latest?.state === "running") return { running: { startedAt: seconds(latest.startedAt) } };
  if (waiting !== undefined) return { waiting };
  if (latest?.state === "exited") return { terminated: terminated(latest, terminationMessage) };
  const hasInit = (pod.spec?.initContainers ?? []).length > 0;
  return { waiting: { reason: hasInit ? "PodInitializing" : "ContainerCreating" } };
}

function lastStateOf(facts: ContainerFacts, state: ContainerState): ContainerState {
  const { latest, previous, reported, terminationMessage } = facts;
  const ended =
    latest?.state === "exited" && state.terminated === undefined
      ? latest
      : previous?.state === "exited"
        ? previous
        : undefined;
  if (ended !== undefined) return { terminated: terminated(ended, terminationMessage) };
  if (reported?.containerID === undefined || latest?.identity.attempt === 0) return {};
  return lostState(reported);
}

/** Of a container that has run here, but whose files are gone (a reboot, a cleaned node). */
function lostState(reported: ApiContainerStatus): ContainerState {
  if (reported.state?.terminated !== undefined) return { terminated: reported.state.terminated };
  if (reported.state?.running === undefined) return reported.lastState ?? {};
  return {
    terminated: {
      exitCode: 137,
      reason: "ContainerStatusUnknown",
      message: "The container could not be located when the pod was started again",
      containerID: reported.containerID,
    },
  };
}

function terminated(
  status: ContainerStatus,
  terminationMessage: (attempt: number) => string | undefined,
): NonNullable<ContainerState["terminated"]> {
  const message = terminationMessage(status.identity.attempt) || status.message;
  return {
    exitCode: status.exitCode ?? 137,
    reason: status.reason ?? "Error",
    ...(message === undefined || message === "" ? {} : { message }),
    startedAt: seconds(status.startedAt ?? status.createdAt),
    finishedAt: seconds(status.finishedAt),
    containerID: containerId(status),
  };
}

function seconds(time: string | undefined): string | undefined {
  return time === undefined ? undefined : `${time.slice(0, 19)}Z`;
}
