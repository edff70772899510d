/** What is to be done next for a pod, from its spec and the state of its containers (pure). */

import type { Container, Pod } from "#cluster/api/generated/core-v1.ts";
import type { ContainerStatus } from "#cluster/runtime/container.ts";
import { specHash } from "./container-config.ts";
import { initContainers, isSidecar, mainContainers, restartPolicyOf } from "./pod-parts.ts";

/** How a container stands. */
export interface ContainerView {
  /** Its latest attempt; absent before the first. */
  latest: ContainerStatus | undefined;
  /** Running, and its startup probe (if any) has succeeded. */
  started: boolean;
  /** The probe that wants it restarted. */
  failedProbe: "startup" | "liveness" | undefined;
}

export interface PodActions {
  /** Running containers to be stopped, with why (for the Killing event). */
  kill: { container: Container; status: ContainerStatus; why: string }[];
  /** Containers to be started now, in order; those that have exited may have to wait (backoff). */
  start: Container[];
  /** All work is done, or has failed for good: what still runs is to be stopped. */
  finished: boolean;
}

/** Kubernetes' computePodActions: init containers in order, sidecars among them, then the others. */
export function computePodActions(
  pod: Pod,
  view: (container: Container) => ContainerView,
): PodActions {
  const actions: PodActions = { kill: [], start: [], finished: false };
  const isInitialized = mainContainers(pod).some(
    (container) => view(container).latest !== undefined,
  );
  const init = initActions(pod, view, isInitialized, actions);
  if (init === "failed") return { kill: [], start: [], finished: true };
  if (init === "complete" || isInitialized) {
    const ended = mainActions(pod, view, actions);
    if (ended) return { kill: [], start: [], finished: true };
  }
  return actions;
}

function initActions(
  pod: Pod,
  view: (container: Container) => ContainerView,
  isInitialized: boolean,
  actions: PodActions,
): "complete" | "waiting" | "failed" {
  for (const container of initContainers(pod)) {
    const { latest, started, failedProbe } = view(container);
    if (isSidecar(container)) {
      if (latest?.state === "running") {
        if (failedProbe !== undefined) {
          actions.kill.push({
            container,
            status: latest,
            why: probeFailed(container, failedProbe),
          });
        }
        if (!started && !isInitialized) return "waiting";
        continue;
      }
      actions.start.push(container);
      if (!isInitialized) return "waiting";
      continue;
    }
    // A regular init container doesn't run again once the pod has been initialized.
    if (isInitialized) continue;
    if (latest === undefined) {
      actions.start.push(container);
      return "waiting";
    }
    if (latest.state !== "exited") return "waiting";
    if (latest.exitCode === 0) continue;
    if (restartPolicyOf(pod, container) === "Never") return "failed";
    actions.start.push(container);
    return "waiting";
  }
  return "complete";
}

/** Whether every main container has done its work for good. */
function mainActions(
  pod: Pod,
  view: (container: Container) => ContainerView,
  actions: PodActions,
): boolean {
  let ended = 0;
  for (const container of mainContainers(pod)) {
    const { latest, failedProbe } = view(container);
    if (latest === undefined || latest.state === "created") {
      actions.start.push(container);
    } else if (latest.state === "exited") {
      if (isRestarted(pod, container, latest.exitCode ?? 0)) actions.start.push(container);
      else ended += 1;
    } else if (failedProbe !== undefined) {
      actions.kill.push({ container, status: latest, why: probeFailed(container, failedProbe) });
    } else if (latest.specHash !== specHash(container)) {
      const why = `Container ${container.name} definition changed, will be restarted`;
      actions.kill.push({ container, status: latest, why });
    }
  }
  return ended === mainContainers(pod).length;
}

/** Whether the restart policy wants a container that has ended with this code to run again. */
export function isRestarted(pod: Pod, container: Container, exitCode: number): boolean {
  const policy = restartPolicyOf(pod, container);
  return policy === "Always" || (policy === "OnFailure" && exitCode !== 0);
}

function probeFailed(container: Container, probe: "startup" | "liveness"): string {
  return `Container ${container.name} failed ${probe} probe, will be restarted`;
}
