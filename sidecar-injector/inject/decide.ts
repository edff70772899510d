/** Whether a pod gets a sidecar: Istio's rules for namespace, label and annotation. */

import type { Pod } from "#cluster/api/generated/core-v1.ts";
import type { PartialMeta } from "#cluster/api/meta.ts";

export type Labels = Readonly<Record<string, string>>;

/** A pod as an admission request or a template carries it. */
export type PodInput = Omit<Pod, "metadata"> & { metadata?: PartialMeta };

export interface Decision {
  inject: boolean;
  /** Why, for logs and `lateen inject`. */
  reason: string;
}

export interface DecisionInput {
  namespace: string;
  /** Labels of the namespace; absent when the webhook's selectors have already looked at them. */
  namespaceLabels?: Labels;
  revision: string;
}

/** Namespaces of the cluster's own workloads. */
export const SYSTEM_NAMESPACES: readonly string[] = [
  "kube-system",
  "kube-public",
  "kube-node-lease",
];

export const INJECT = "sidecar.istio.io/inject";
export const STATUS = "sidecar.istio.io/status";
export const REVISION = "istio.io/rev";
export const NAMESPACE_SWITCH = "istio-injection";

/**
 * In Istio's order: what can't be injected, then the namespace's switch, then the pod's own wish
 * (its label, or the older annotation where the namespace doesn't say no).
 */
export function decide(pod: PodInput, input: DecisionInput): Decision {
  const annotations = pod.metadata?.annotations ?? {};
  const labels = pod.metadata?.labels ?? {};
  if (SYSTEM_NAMESPACES.includes(input.namespace)) {
    return no(`namespace ${input.namespace} belongs to the cluster`);
  }
  if (pod.spec?.hostNetwork === true) return no("the pod uses the host's network");
  if (own(annotations, STATUS) !== undefined && hasProxy(pod)) return no("already injected");

  const label = wish(own(labels, INJECT));
  if (label === "no") return no(`label ${INJECT} says no`);
  const fromNamespace = namespaceWish(input, labels);
  if (fromNamespace === "no") return no("the namespace says no");
  if (label === "yes") return yes(`label ${INJECT} says yes`);
  if (wish(own(annotations, INJECT)) === "no") return no(`annotation ${INJECT} says no`);
  if (fromNamespace === "yes") return yes("the namespace says yes");
  return no("neither the namespace nor the pod asks for it");
}

type Wish = "yes" | "no" | "unsaid";

function namespaceWish(input: DecisionInput, podLabels: Labels): Wish {
  // The webhook's selectors have matched, so the namespace agrees.
  if (input.namespaceLabels === undefined) return "yes";
  const direct = own(input.namespaceLabels, NAMESPACE_SWITCH);
  if (direct === "enabled") return "yes";
  if (direct === "disabled") return "no";
  const revision = own(input.namespaceLabels, REVISION) ?? own(podLabels, REVISION);
  if (revision === undefined) return "unsaid";
  return revision === input.revision ? "yes" : "no";
}

function wish(value: string | undefined): Wish {
  if (value === undefined || value === "") return "unsaid";
  return ["true", "yes", "y", "on"].includes(value.toLowerCase()) ? "yes" : "no";
}

/** A container of this name with image `auto` is a request, not a proxy. */
function hasProxy(pod: PodInput): boolean {
  const all = [...(pod.spec?.containers ?? []), ...(pod.spec?.initContainers ?? [])];
  return all.some(({ name, image }) => name === "istio-proxy" && image !== "auto");
}

/** Reads a key of an untrusted map. */
export function own(map: Labels, key: string): string | undefined {
  return Object.hasOwn(map, key) ? map[key] : undefined;
}

function yes(reason: string): Decision {
  return { inject: true, reason };
}

function no(reason: string): Decision {
  return { inject: false, reason };
}
