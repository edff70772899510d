/** From a request's path to a pod's container on this node. */

import type { Pod } from "#cluster/api/generated/core-v1.ts";
import { type StatusError, statusError } from "#cluster/api/status-error.ts";
import type { PodContext } from "#cluster/kubelet/pod-context.ts";
import { findContainer, podIdentity } from "#cluster/kubelet/pod-parts.ts";
import type { PodWorkers } from "#cluster/kubelet/pod-workers.ts";
import type { ContainerStatus } from "#cluster/runtime/container.ts";

export interface ServerContext {
  context: PodContext;
  workers: PodWorkers;
}

export interface ContainerTarget {
  pod: Pod;
  podIp: string | undefined;
  status: ContainerStatus;
}

export interface ContainerPath {
  namespace: string;
  pod: string;
  container: string;
}

/** The container's latest attempt, or the one before; throws a Status with the kubelet's words. */
export function findTarget(
  server: ServerContext,
  path: ContainerPath,
  previous: boolean,
): ContainerTarget {
  const worker = server.workers.find(path.namespace, path.pod);
  if (worker === undefined) throw statusError("NotFound", `pod "${path.pod}" not found`);
  const { pod } = worker;
  if (findContainer(pod, path.container) === undefined) {
    throw statusError("BadRequest", `container ${path.container} is not valid for pod ${path.pod}`);
  }
  const attempts = server.context.runtime.containers
    .ofPod(podIdentity(pod).uid)
    .filter(({ identity }) => identity.name === path.container)
    .toSorted((a, b) => b.identity.attempt - a.identity.attempt);
  const status = attempts[previous ? 1 : 0];
  if (status === undefined) throw notThere(pod, path, previous);
  return { pod, podIp: worker.podIp, status };
}

function notThere(pod: Pod, path: ContainerPath, previous: boolean): StatusError {
  const where = `container "${path.container}" in pod "${path.pod}"`;
  if (previous) return statusError("BadRequest", `previous terminated ${where} not found`);
  const { initContainerStatuses = [], containerStatuses = [] } = pod.status ?? {};
  const status = [...initContainerStatuses, ...containerStatuses].find(
    ({ name }) => name === path.container,
  );
  const reason = status?.state?.waiting?.reason ?? "ContainerCreating";
  return statusError("BadRequest", `${where} is waiting to start: ${reason}`);
}

/** A container in which a command can be run. */
export function findRunning(server: ServerContext, path: ContainerPath): ContainerTarget {
  const target = findTarget(server, path, false);
  if (target.status.state === "running") return target;
  throw statusError("BadRequest", `container not found ("${path.container}"): it does not run`);
}
