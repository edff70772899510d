/** From where a proxy looks, as far as the world has more than one such place. */

import type { NetworkGateways, Workload } from "./object.ts";
import { lookup } from "./object-index.ts";
import type { Proxy } from "./proxy.ts";
import { ALL, type PushContext } from "./push-context.ts";

const NETWORK_LABEL = "topology.istio.io/network";

/** The further cluster that a proxy is in; empty for the one that configuration comes from. */
export function clusterOf(context: PushContext, proxy: Proxy): string {
  return context.indexes.remoteServices.lists.has(proxy.cluster) ? proxy.cluster : "";
}

/** Whether something is in that cluster. */
export function isIn(cluster: string, object: { readonly cluster?: string }): boolean {
  return (object.cluster ?? "") === cluster;
}

/**
 * The network of a proxy: what it says, its label, or what is known of its workload. Nobody asks
 * as long as no network has a gateway.
 */
export function networkOf(context: PushContext, proxy: Proxy): string {
  if (gatewaysBetweenNetworks(context).length === 0) return "";
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
