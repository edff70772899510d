/** Questions about a pod's spec that many files ask. */

import type { Container, Pod } from "#cluster/api/generated/core-v1.ts";

export interface PodIdentity {
  namespace: string;
  name: string;
  uid: string;
}

export function podIdentity(pod: Pod): PodIdentity {
  const { namespace = "default", name, uid = "" } = pod.metadata;
  return { namespace, name, uid };
}

/** `name_namespace(uid)`, as the kubelet's messages name pods. */
export function formatPod(pod: Pod): string {
  const { namespace, name, uid } = podIdentity(pod);
  return `${name}_${namespace}(${uid})`;
}

/** A native sidecar: an init container that is kept running. */
export function isSidecar(container: Container): boolean {
  return container.restartPolicy === "Always";
}

/** Every container in the order they start. */
export function allContainers(pod: Pod): Container[] {
  return [...(pod.spec?.initContainers ?? []), ...(pod.spec?.containers ?? [])];
}

export function initContainers(pod: Pod): Container[] {
  return pod.spec?.initContainers ?? [];
}

export function mainContainers(pod: Pod): Container[] {
  return pod.spec?.containers ?? [];
}

export function isInitContainer(pod: Pod, name: string): boolean {
  return initContainers(pod).some((container) => container.name === name);
}

export function findContainer(pod: Pod, name: string): Container | undefined {
  return allContainers(pod).find((container) => container.name === name);
}

/** The restart policy that holds for one container of the pod. */
export function restartPolicyOf(pod: Pod, container: Container): "Always" | "OnFailure" | "Never" {
  if (isSidecar(container)) return "Always";
  const policy = pod.spec?.restartPolicy ?? "Always";
  if (!isInitContainer(pod, container.name)) {
    return policy === "Never" || policy === "OnFailure" ? policy : "Always";
  }
  // An init container that has succeeded has done its work, whatever the pod's policy.
  return policy === "Never" ? "Never" : "OnFailure";
}

export function isTerminalPhase(phase: string | undefined): boolean {
  return phase === "Succeeded" || phase === "Failed";
}

/** `spec.containers{main}` for the events of a container. */
export function containerFieldPath(pod: Pod, name: string): string {
  return `spec.${isInitContainer(pod, name) ? "initContainers" : "containers"}{${name}}`;
}
