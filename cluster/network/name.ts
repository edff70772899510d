/**
 * Names of what Lateen makes in the kernel. Cluster, node and pod parts are joined with `_`, which
 * DNS names can't contain: so a prefix selects exactly one cluster's or one node's namespaces.
 */

import { createHash } from "node:crypto";
import type { ClusterNetwork } from "#cluster/api/process-config.ts";

const DNS_NAME = /^[a-z0-9]([-a-z0-9.]{0,61}[a-z0-9])?$/;
const NAMESPACE_NAME = /^[A-Za-z0-9][-A-Za-z0-9._]{0,199}$/;

/** Link names are limited to 15 characters by the kernel. */
function shortHash(text: string, length: number): string {
  return createHash("sha256").update(text).digest("hex").slice(0, length);
}

/** Throws unless the name is a DNS name of at most 63 characters (`what` is for the message). */
export function requireDnsName(what: string, name: string): void {
  if (!DNS_NAME.test(name)) {
    throw new Error(
      `${what} name "${name}" is not usable: use at most 63 lower-case letters, digits and "-"`,
    );
  }
}

/** Throws unless the name is safe as a file name below /var/run/netns. */
export function requireNamespaceName(namespace: string): void {
  if (!NAMESPACE_NAME.test(namespace)) {
    throw new Error(`"${namespace}" can't name a network namespace`);
  }
}

/** What a cluster's names are made from; `owner` is the path of its state folder. */
interface NamedCluster {
  name: string;
  index: number;
  owner: string;
}

/**
 * The fabric's namespace: readable, and unique by a hash of the cluster's state folder, so that
 * clusters of the same name in different homes never take each other's for their own.
 */
export function fabricNamespaceOf(cluster: NamedCluster): string {
  return `lateen-${cluster.name}-${ownerHash(cluster)}`;
}

/** The host's link into the fabric, unique like its namespace. */
export function hostLinkOf(cluster: NamedCluster): string {
  const readable = cluster.name.replaceAll(".", "").slice(0, 7);
  return `lt-${readable}-${ownerHash(cluster)}`;
}

function ownerHash({ owner, index }: NamedCluster): string {
  return shortHash(`${owner}/${index}`, 4);
}

/** A node's network namespace. */
export function nodeNamespaceOf(network: ClusterNetwork, nodeName: string): string {
  return `${network.fabricNamespace}_${nodeName}`;
}

/** What all of a node's pod namespaces begin with (`NodeConfig.podNamespacePrefix`). */
export function podNamespacePrefixOf(network: ClusterNetwork, nodeName: string): string {
  return `${nodeNamespaceOf(network, nodeName)}_`;
}

/** The node's end of a pod's link. */
export function podLinkOf(podNamespace: string): string {
  return `ltp${shortHash(podNamespace, 12)}`;
}

/** The fabric's end of a node's link: `n` and the node's index. */
export function nodeLinkOf(index: number): string {
  return `n${index}`;
}
