/** Whether a policy object is about a proxy: by labels, or by the object that it is attached to. */

import type { PolicyTarget } from "#crds/types/networking-v1.ts";
import { matchesAll } from "./labels.ts";
import type { Labels } from "./object.ts";
import type { Proxy } from "./proxy.ts";

export interface Selection {
  readonly labels?: Labels | undefined;
  readonly targets?: readonly PolicyTarget[] | undefined;
}

const GATEWAY_API = "gateway.networking.k8s.io";
const GATEWAY_NAME = "gateway.networking.k8s.io/gateway-name";

/**
 * Labels must all be there; without labels and targets every proxy is meant. Of targets a Gateway
 * of the Gateway API selects the proxies that were deployed for it, in its own namespace.
 */
export function selectsProxy(
  policy: { readonly namespace: string },
  proxy: Pick<Proxy, "namespace" | "labels">,
  { labels = {}, targets = [] }: Selection,
): boolean {
  if (targets.length === 0) return matchesAll(labels, proxy.labels);
  return targets.some(
    (target) =>
      isGatewayTarget(target) &&
      policy.namespace === proxy.namespace &&
      proxy.labels[GATEWAY_NAME] === target.name,
  );
}

/** The one kind of target that proxies without waypoints can have. */
export function isGatewayTarget(target: PolicyTarget): boolean {
  return target.kind === "Gateway" && target.group === GATEWAY_API;
}
