/** Which address ranges a cluster gets (the table in ARCHITECTURE.md), free of what exists. */

import type { ClusterNetwork } from "#cluster/api/process-config.ts";
import { formatAddress, overlaps, parseCidr, requireCidr } from "./cidr.ts";
import type { HostRange } from "./host-ranges.ts";
import { fabricNamespaceOf, hostLinkOf, requireDnsName } from "./name.ts";

/** 10.128 … 10.255 in steps of three second octets. */
const CLUSTERS = 42;
const CLUSTER_DOMAIN = "cluster.local";
/** Node n has the fabric address `.(10+n)`. */
const FIRST_NODE_OFFSET = 10;
/** Limited by the fabric's /24. */
export const MAX_NODES = 244;

/** What a cluster's addresses and kernel names are made from. */
export interface ClusterIdentity {
  name: string;
  /** 0 … 41. */
  index: number;
  /** Path of the cluster's state folder: tells clusters of the same name apart. */
  owner: string;
}

/** The network of the cluster with the given index; pure arithmetic. */
export function planCluster(cluster: ClusterIdentity): ClusterNetwork {
  const { name, index } = cluster;
  requireDnsName("cluster", name);
  if (!Number.isInteger(index) || index < 0 || index >= CLUSTERS) {
    throw new Error(`cluster index ${index} is out of range (0 to ${CLUSTERS - 1})`);
  }
  const pods = 128 + 3 * index;
  const services = pods + 1;
  const fabric = pods + 2;
  return {
    fabricCidr: `10.${fabric}.0.0/24`,
    hostAddress: `10.${fabric}.0.1`,
    podCidr: `10.${pods}.0.0/16`,
    serviceCidr: `10.${services}.0.0/16`,
    loadBalancerCidr: `10.${fabric}.200.0/24`,
    dnsAddress: `10.${services}.0.10`,
    clusterDomain: CLUSTER_DOMAIN,
    fabricNamespace: fabricNamespaceOf(cluster),
    hostLink: hostLinkOf(cluster),
  };
}

/**
 * Every network that a cluster of this name and state folder can have had: what to look for in the
 * kernel when nothing else remembers it.
 */
export function possibleNetworks(identity: Omit<ClusterIdentity, "index">): ClusterNetwork[] {
  return Array.from({ length: CLUSTERS }, (_, index) => planCluster({ ...identity, index }));
}

/** Addresses of one node. */
export interface NodePlan {
  /** On the fabric. */
  nodeAddress: string;
  /** The node's /24. */
  podCidr: string;
  /** Next hop of the node's pods, the first address of its /24. */
  gatewayAddress: string;
}

/** Node indexes start at 1. */
export function planNode(network: ClusterNetwork, index: number): NodePlan {
  if (!Number.isInteger(index) || index < 1 || index > MAX_NODES) {
    throw new Error(`node index ${index} is out of range (1 to ${MAX_NODES})`);
  }
  const pods = requireCidr(network.podCidr).base + index * 256;
  const fabric = requireCidr(network.fabricCidr).base;
  return {
    nodeAddress: formatAddress(fabric + FIRST_NODE_OFFSET + index),
    podCidr: `${formatAddress(pods)}/24`,
    gatewayAddress: formatAddress(pods + 1),
  };
}

/** What a new cluster's ranges must keep clear of. */
export interface NetworkChoice {
  name: string;
  /** Path of the cluster's state folder. */
  owner: string;
  /** What the host routes or has as an address (`readHostRanges`). */
  hostRoutes: readonly HostRange[];
  /** Networks of other clusters in the state folder, running or not. */
  taken: readonly ClusterNetwork[];
  /** The cluster's own network of last time (`cluster.json`); kept, for objects remember it. */
  previous?: ClusterNetwork;
}

/** The previous network, else the first free one; throws, naming what is in the way. */
export function chooseClusterNetwork(choice: NetworkChoice): ClusterNetwork {
  const { name, owner, previous } = choice;
  if (previous !== undefined) {
    const conflict = findConflict(previous, choice);
    if (conflict === undefined) return previous;
    throw new Error(
      `cluster ${name} was created with ${conflict.own}, which is now ${conflict.by}: ` +
        `free that range, or start anew with "lateen down --name ${name} --purge"`,
    );
  }
  const conflicts = new Set<string>();
  for (let index = 0; index < CLUSTERS; index++) {
    const network = planCluster({ name, index, owner });
    const conflict = findConflict(network, choice);
    if (conflict === undefined) return network;
    conflicts.add(conflict.by);
  }
  throw new Error(
    `cluster ${name} finds no free address range in 10.128.0.0/9: in the way is what is ` +
      `${[...conflicts].slice(0, 5).join(", ")}; remove a route or a cluster`,
  );
}

function findConflict(
  network: ClusterNetwork,
  choice: NetworkChoice,
): { own: string; by: string } | undefined {
  const blocked = [
    ...choice.hostRoutes
      .filter((range) => range.link !== network.hostLink)
      .map((range) => ({ cidr: range.cidr, by: `routed by ${range.link} (${range.cidr})` })),
    ...choice.taken.flatMap((other) =>
      rangesOf(other).map((cidr) => ({
        cidr,
        by: `of cluster ${other.fabricNamespace} (${cidr})`,
      })),
    ),
  ];
  for (const own of rangesOf(network)) {
    const range = requireCidr(own);
    const hit = blocked.find((block) => {
      const other = parseCidr(block.cidr);
      return other !== undefined && overlaps(range, other);
    });
    if (hit !== undefined) return { own, by: hit.by };
  }
  return undefined;
}

function rangesOf(network: ClusterNetwork): string[] {
  return [network.podCidr, network.serviceCidr, network.fabricCidr, network.loadBalancerCidr];
}
