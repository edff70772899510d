/** What controllers, the scheduler and the proxies read off a pod (Kubernetes' `podutil`). */

import type {
  Container,
  ContainerPort,
  Pod,
  PodCondition,
  ServicePort,
} from "./generated/core-v1.ts";

export function podCondition(pod: Pod, type: string): PodCondition | undefined {
  return pod.status?.conditions?.find((condition) => condition.type === type);
}

export function isPodReady(pod: Pod): boolean {
  return podCondition(pod, "Ready")?.status === "True";
}

/** All containers have ended and none will be started again. */
export function isPodTerminal(pod: Pod): boolean {
  return pod.status?.phase === "Succeeded" || pod.status?.phase === "Failed";
}

/** Counts as a replica: neither ended nor being deleted. */
export function isPodActive(pod: Pod): boolean {
  return !isPodTerminal(pod) && pod.metadata.deletionTimestamp === undefined;
}

/**
 * When a ready pod becomes available, in milliseconds since the epoch: `minReadySeconds` after it
 * became ready. Undefined while it isn't ready.
 */
export function availableAtMs(pod: Pod, minReadySeconds: number): number | undefined {
  const ready = podCondition(pod, "Ready");
  if (ready?.status !== "True") return undefined;
  if (minReadySeconds === 0) return 0;
  const sinceMs = Date.parse(ready.lastTransitionTime ?? "");
  return Number.isNaN(sinceMs) ? undefined : sinceMs + minReadySeconds * 1_000;
}

/** Containers that serve: the ordinary ones, then sidecars (init containers that keep running). */
export function servingContainers(pod: Pod): Container[] {
  const sidecars = (pod.spec?.initContainers ?? []).filter(
    ({ restartPolicy }) => restartPolicy === "Always",
  );
  return [...(pod.spec?.containers ?? []), ...sidecars];
}

/**
 * The pod's port behind a Service port; a named target port is looked up in its containers and is
 * undefined when none has it with the same protocol.
 */
export function targetPortOf(port: ServicePort, pod: Pod): number | undefined {
  const target = port.targetPort ?? port.port;
  if (typeof target === "number") return target === 0 ? port.port : target;
  const isNamed = (candidate: ContainerPort): boolean =>
    candidate.name === target && (candidate.protocol ?? "TCP") === (port.protocol ?? "TCP");
  for (const container of servingContainers(pod)) {
    const found = container.ports?.find(isNamed);
    if (found !== undefined) return found.containerPort;
  }
  return undefined;
}
