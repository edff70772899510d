/** Whether a pod gets a sidecar: Istio's rules for namespace, label, annotation and policy. */

import { matchesLabelSelector } from "#cluster/api/selector.ts";
import type { InjectorConfig } from "./config.ts";
import { type Labels, type PodInput, own } from "./pod-input.ts";

export interface Decision {
  inject: boolean;
  /** Why, for logs and `lateen inject`. */
  reason: string;
}

export interface DecisionInput {
  namespace: string;
  /** Labels of the namespace; absent when the webhook's selectors have already looked at them. */
  namespaceLabels?: Labels;
  config: Pick<InjectorConfig, "revision" | "tags" | "policy" | "neverInject" | "alwaysInject">;
}

/** Namespaces of the cluster's own workloads. */
export const SYSTEM_NAMESPACES: readonly string[] = [
  "kube-system",
  "kube-public",
  "kube-node-lease",
  "local-path-storage",
];

export const INJECT = "sidecar.istio.io/inject";
export const STATUS = "sidecar.istio.io/status";
export const REVISION = "istio.io/rev";
export const NAMESPACE_SWITCH = "istio-injection";

/**
 * In Istio's order: what can't be injected, then the namespace's switch, then the pod's own wish
 * (its label, or the older annotation where the namespace doesn't say no), then the administrator's
 * selectors and policy.
 */
export function decide(pod: PodInput, input: DecisionInput): Decision {
  const annotations = pod.metadata?.annotations ?? {};
  const labels = pod.metadata?.labels ?? {};
  const { neverInject, alwaysInject, policy } = input.config;
  if (SYSTEM_NAMESPACES.includes(input.namespace)) {
    return no(`namespace ${input.namespace} belongs to the cluster`);
  }
  if (pod.spec?.hostNetwork === true) return no("the pod uses the host's network");

  const label = wish(own(labels, INJECT));
  if (label === "no") return no(`label ${INJECT} says no`);
  const fromNamespace = namespaceWish(input, labels);
  if (fromNamespace === "no") return no("the namespace says no");
  if (label === "yes") return yes(`label ${INJECT} says yes`);
  const annotation = wish(own(annotations, INJECT));
  if (annotation === "no") return no(`annotation ${INJECT} says no`);
  if (fromNamespace !== "yes") return no("neither the namespace nor the pod asks for it");
  if (annotation === "yes") return yes(`annotation ${INJECT} says yes`);
  const matches = (selectors: InjectorConfig["neverInject"]): boolean =>
    selectors.some((one) => !isEmpty(one) && matchesLabelSelector(one, labels));
  if (matches(neverInject)) return no("neverInjectSelector matches the pod");
  if (matches(alwaysInject)) return yes("alwaysInjectSelector matches the pod");
  if (policy === "disabled") return no("the injection policy is disabled");
  return yes("the namespace says yes");
}

type Wish = "yes" | "no" | "unsaid";

function namespaceWish({ namespaceLabels, config }: DecisionInput, podLabels: Labels): Wish {
  // The webhook's selectors have matched, so the namespace agrees.
  if (namespaceLabels === undefined) return "yes";
  const direct = own(namespaceLabels, NAMESPACE_SWITCH);
  if (direct === "enabled") return "yes";
  if (direct === "disabled") return "no";
  const revision = own(namespaceLabels, REVISION) ?? own(podLabels, REVISION);
  if (revision === undefined) return "unsaid";
  return revision === config.revision || config.tags.includes(revision) ? "yes" : "no";
}

/** As in Istio, any other word is as if nothing had been said. */
function wish(value: string | undefined): Wish {
  if (value === "true") return "yes";
  return value === "false" ? "no" : "unsaid";
}

function isEmpty(selector: InjectorConfig["neverInject"][number]): boolean {
  return (
    Object.keys(selector.matchLabels ?? {}).length === 0 &&
    (selector.matchExpressions ?? []).length === 0
  );
}

function yes(reason: string): Decision {
  return { inject: true, reason };
}

function no(reason: string): Decision {
  return { inject: false, reason };
}
