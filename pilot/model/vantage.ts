/** From where a proxy looks, as far as the world has more than one such place. */

import type { NetworkGateways, Workload } from "./object.ts";
import { lookup } from "./object-index.ts";
import { NETWORK_LABEL, failoverLabelsOfMesh } from "./place.ts";
import type { Proxy } from "./proxy.ts";
import { ALL, type PushContext } from "./push-context.ts";

/** The further cluster that a proxy is in; empty for the one that configuration comes from. */
export function clusterOf(context: PushContext, proxy: Proxy): string {
  return context.indexes.remoteServices.lists.has(proxy.cluster) ? proxy.cluster : "";
}

/** Whether something is in that cluster. */
export function isIn(cluster: string, object: { readonly cluster?: string }): boolean {
  return (object.cluster ?? "") === cluster;
}

/**
 * The network of a proxy: what it says, its label, or what is known of its workload; empty where
 * nothing depends on it.
 */
export function networkOf(context: PushContext, proxy: Proxy): string {
  const counts =
    gatewaysBetweenNetworks(context).length > 0 ||
    context.indexes.rulesByLabelName.lists.has(NETWORK_LABEL) ||
    failoverLabelsOfMesh(context.mesh).includes(NETWORK_LABEL);
  if (!counts) return "";
  const own = proxy.network === "" ? (proxy.labels[NETWORK_LABEL] ?? "") : proxy.network;
  return own === "" ? (workloadOf(context, proxy)?.network ?? "") : own;
}

/** The workload that a proxy belongs to; other clusters may use the same addresses. */
export function workloadOf(context: PushContext, proxy: Proxy): Workload | undefined {
  const cluster = clusterOf(context, proxy);
  return proxy.addresses
    .flatMap((address) => lookup(context.indexes.workloadsByAddress, address))
    .find((one) => one.namespace === proxy.namespace && isIn(cluster, one));
}

/** All sources of gateways; the same list until one of them changes. */
export function gatewaysBetweenNetworks(context: PushContext): readonly NetworkGateways[] {
  return lookup(context.indexes.networkGateways, ALL);
}

/** Whether clients beside a proxy are told allocated addresses, if there are any. */
export function isToldAllocated(context: PushContext, proxy: Proxy): boolean {
  if (context.indexes.allocatedServices.lists.size === 0 || proxy.type !== "sidecar") return false;
  return context.mesh.dnsTellsAllocated || proxy.metadata["DNS_CAPTURE"] === "true";
}
