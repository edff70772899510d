/** What follows from a cluster's network alone: names, addresses and folders of its nodes. */

import path from "node:path";
import type { ClusterNetwork, NodeConfig } from "#cluster/api/process-config.ts";
import { nodeNamespaceOf, podNamespacePrefixOf } from "#cluster/network/name.ts";
import { planNode } from "#cluster/network/plan.ts";
import type { StatePaths } from "#cli/state.ts";

/** A node before its keys and files are there. */
export interface PlannedNode {
  name: string;
  /** From 1 on. */
  index: number;
  namespace: string;
  config: Omit<NodeConfig, "kubeconfig" | "serving">;
}

/** Node `index` of a cluster; pure. */
export function plannedNode(
  cluster: { name: string; network: ClusterNetwork },
  paths: StatePaths,
  index: number,
): PlannedNode {
  const { network, name: clusterName } = cluster;
  const name = `node-${index}`;
  const { nodeAddress, podCidr } = planNode(network, index);
  return {
    name,
    index,
    namespace: nodeNamespaceOf(network, name),
    config: {
      clusterName,
      nodeName: name,
      stateDir: path.join(paths.nodes, name),
      network,
      nodeAddress,
      podCidr,
      podNamespacePrefix: podNamespacePrefixOf(network, name),
      cgroupParent: `lateen/${network.fabricNamespace}/${name}`,
      imagesFile: paths.imagesFile,
    },
  };
}

/** The index of a name that `plannedNode` gives; undefined for any other. */
export function nodeIndexOf(name: string): number | undefined {
  const index = /^node-([1-9][0-9]{0,2})$/.exec(name)?.[1];
  return index === undefined ? undefined : Number(index);
}
