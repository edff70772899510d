/**
 * A pod's network namespace and its link to the node, made from inside the node's namespace. Each
 * pod has a /32 on a point-to-point link and no bridge joins them, so that every packet, also
 * between neighbours, is routed through the node and its Service rules.
 */

import { applyIp, writeSysctls } from "./ip.ts";
import { deleteNamespaces, ignoreGone, listNamespaces } from "./namespaces.ts";
import { podLinkOf, requireNamespaceName } from "./name.ts";
import { namespacePath } from "./run-in-namespace.ts";

export interface PodNetworkRequest {
  /** Name of the pod's network namespace: the node's prefix and something unique. */
  namespace: string;
  podAddress: string;
  /** The node's address on the link, the same for all its pods. */
  gatewayAddress: string;
  signal?: AbortSignal;
}

/**
 * Makes the namespace with `lo` and `eth0`, or makes it anew when one of that name exists. Ports
 * below 1024 need no privilege in it, as with containerd. Safe to call for many pods at once.
 */
export async function createPodNetwork(request: PodNetworkRequest): Promise<{ netnsPath: string }> {
  const { namespace, podAddress, gatewayAddress, signal } = request;
  const netnsPath = namespacePath(namespace);
  const link = podLinkOf(namespace);
  const outside = [
    `netns add ${namespace}`,
    `link add ${link} type veth peer name eth0 netns ${namespace}`,
    `addr add ${gatewayAddress}/32 dev ${link}`,
    `link set ${link} up`,
    `route add ${podAddress}/32 dev ${link} src ${gatewayAddress}`,
  ];
  const inside = [
    `addr add ${podAddress}/32 dev eth0`,
    "link set lo up",
    "link set eth0 up",
    `route add ${gatewayAddress}/32 dev eth0 scope link`,
    `route add default via ${gatewayAddress}`,
  ];
  if ((await listNamespaces(namespace)).includes(namespace)) await deletePodNetwork(namespace);
  try {
    await applyIp(outside, { signal });
    await Promise.all([
      applyIp(inside, { namespace, signal }),
      writeSysctls(namespace, ["net/ipv4/ip_unprivileged_port_start"], "0", signal),
    ]);
  } catch (cause) {
    await deletePodNetwork(namespace);
    throw cause;
  }
  return { netnsPath };
}

/** Idempotent. The link goes at once, not when the kernel gets round to the namespace. */
export async function deletePodNetwork(namespace: string): Promise<void> {
  requireNamespaceName(namespace);
  const lines = [`link del ${podLinkOf(namespace)}`, `netns del ${namespace}`];
  try {
    await applyIp(lines);
  } catch {
    // One of the two is gone already.
    await applyIp(lines.slice(0, 1)).catch(ignoreGone);
    await deleteNamespaces([namespace]);
  }
}

/** Names of the pod namespaces that begin with the prefix; sorted. */
export async function listPodNetworks(prefix: string): Promise<string[]> {
  return listNamespaces(prefix);
}
