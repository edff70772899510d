/** Taking a cluster out of the kernel again: processes, containers, namespaces, links, routes. */

import { readdir, rm } from "node:fs/promises";
import path from "node:path";
import type { ClusterNetwork, NodeConfig } from "#cluster/api/process-config.ts";
import { cleanNode } from "#cluster/kubelet/clean.ts";
import { deleteFabric, deleteNode, listLeftovers } from "#cluster/network/fabric.ts";
import { nodeNamespaceOf } from "#cluster/network/name.ts";
import { listNamespaces } from "#cluster/network/namespaces.ts";
import { possibleNetworks } from "#cluster/network/plan.ts";
import { isMissing, readTransient } from "#cli/state.ts";
import type { StatePaths } from "#cli/state.ts";
import { endOrphans } from "#cli/supervisor/supervisor.ts";
import { nodeIndexOf, plannedNode } from "#cli/up/plan-nodes.ts";

/** A cluster as far as its removal must know it. */
export interface Removable {
  name: string;
  network: ClusterNetwork;
  nodeCount: number;
}

/**
 * Removes everything of the cluster but its state folder; idempotent, whatever is still there.
 * Rejects, naming it, when something stays.
 */
export async function tearDown(paths: StatePaths, cluster: Removable): Promise<void> {
  await endOrphans(paths);
  const { network } = cluster;
  for (const index of await nodeIndexes(paths, cluster)) await removeNode(paths, cluster, index);
  await deleteFabric(network);
  const leftovers = await listLeftovers(network);
  if (leftovers.length > 0) {
    throw new Error(`left behind: ${leftovers.join(", ")}; run \`lateen down\` once more`);
  }
}

/** Removes nodes that an earlier `up` had and this one doesn't want, with all of their files. */
export async function removeSurplusNodes(paths: StatePaths, cluster: Removable): Promise<void> {
  for (const index of await nodeIndexes(paths, cluster)) {
    if (index <= cluster.nodeCount) continue;
    await removeNode(paths, cluster, index);
    const { name, config } = plannedNode(cluster, paths, index);
    for (const file of [`kubelet-${name}.json`, `kubelet-${name}.kubeconfig`, `dns-${name}.json`]) {
      await rm(path.join(paths.config, file), { force: true });
    }
    await rm(config.stateDir, { recursive: true, force: true });
  }
}

/**
 * What of a cluster is still in the kernel when its `cluster.json` is lost: its names follow from
 * the cluster's name and the path of its state folder.
 */
export async function findInKernel(
  paths: StatePaths,
  name: string,
): Promise<Removable | undefined> {
  const namespaces = await listNamespaces(`lateen-${name}-`);
  const network = possibleNetworks({ name, owner: paths.root }).find(({ fabricNamespace }) =>
    namespaces.includes(fabricNamespace),
  );
  return network === undefined ? undefined : { name, network, nodeCount: 0 };
}

async function removeNode(paths: StatePaths, cluster: Removable, index: number): Promise<void> {
  const { name: nodeName, config } = plannedNode(cluster, paths, index);
  // As its agent was started, should an older Lateen have chosen other names.
  const started = await readTransient<NodeConfig>(
    path.join(paths.config, `kubelet-${nodeName}.json`),
  );
  await cleanNode(started ?? config);
  await deleteNode({ network: cluster.network, nodeName, index });
}

/** Of nodes that are wanted, have files, or have a namespace. */
async function nodeIndexes(paths: StatePaths, cluster: Removable): Promise<number[]> {
  const folders = await readdir(paths.nodes).catch((error: unknown) => {
    if (isMissing(error)) return [];
    throw error;
  });
  const prefix = nodeNamespaceOf(cluster.network, "");
  const namespaces = (await listNamespaces(prefix)).map((name) => name.slice(prefix.length));
  const known = [...folders, ...namespaces].map(nodeIndexOf).filter((index) => index !== undefined);
  const wanted = Array.from({ length: cluster.nodeCount }, (_, position) => position + 1);
  return [...new Set([...wanted, ...known])].toSorted((a, b) => a - b);
}
