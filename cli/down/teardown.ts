/** Taking a cluster out of the kernel again: processes, containers, namespaces, links, routes. */

import path from "node:path";
import { cleanNode } from "#cluster/kubelet/clean.ts";
import { deleteFabric, deleteNode, listLeftovers } from "#cluster/network/fabric.ts";
import type { NodeConfig } from "#cluster/api/process-config.ts";
import type { ClusterRecord, StatePaths } from "#cli/state.ts";
import { readJson } from "#cli/state.ts";
import { endOrphans } from "#cli/supervisor/supervisor.ts";

/**
 * Removes everything of the cluster but its state folder; idempotent, whatever is still there.
 * Rejects, naming it, when something stays.
 */
export async function tearDown(paths: StatePaths, record: ClusterRecord): Promise<void> {
  await endOrphans(paths);
  const { network } = record;
  for (let index = 1; index <= record.nodeCount; index++) {
    const nodeName = `node-${index}`;
    const config = await readJson<NodeConfig>(path.join(paths.config, `kubelet-${nodeName}.json`));
    if (config !== undefined) await cleanNode(config);
    await deleteNode({ network, nodeName, index });
  }
  await deleteFabric(network);
  const leftovers = await listLeftovers(network);
  if (leftovers.length > 0) {
    throw new Error(`left behind: ${leftovers.join(", ")}; run \`lateen down\` once more`);
  }
}
