/** Ends and removes everything of a node: what `lateen down` calls when the agent has stopped. */

import { readFile, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { NodeConfig } from "#cluster/api/process-config.ts";
import { deletePodNetwork, listPodNetworks } from "#cluster/network/pod-network.ts";
import {
  type CgroupHost,
  cgroupProcesses,
  detectCgroups,
  removeCgroup,
  removeEmptyParents,
} from "#cluster/runtime/cgroup.ts";
import { processStartTime, sendSignal } from "#cluster/runtime/process.ts";
import { nodePaths } from "./node-paths.ts";
import { unmountBelow } from "./volumes/directories.ts";

const WAIT_MS = 10_000;
const POLL_MS = 10;

/**
 * Kills every container of the node, waits for their monitors, and removes mounts, control groups,
 * pod networks and the node's folders of containers and pods. Logs stay. Safe to call again; the
 * node agent must not run.
 */
export async function cleanNode(config: Omit<NodeConfig, "kubeconfig" | "serving">): Promise<void> {
  const paths = nodePaths(config);
  const cgroups = await detectCgroups();
  const monitors = await monitorPids(join(paths.nodeDir, "containers"));
  await killAll(cgroups, config.cgroupParent);
  // A monitor ends with its container, after it has freed the container's control group.
  await waitUntilGone(monitors);
  await unmountBelow(paths.nodeDir);
  await removeGroups(cgroups, config.cgroupParent);
  for (const namespace of await listPodNetworks(config.podNamespacePrefix)) {
    await deletePodNetwork(namespace);
  }
  for (const name of ["containers", "exits", "oci", "pods", "views"]) {
    await rm(join(paths.nodeDir, name), { recursive: true, force: true });
  }
}

async function monitorPids(containersDir: string): Promise<number[]> {
  const pids: number[] = [];
  for (const id of await readdir(containersDir).catch(() => [])) {
    const text = await readFile(join(containersDir, id, "conmon.pid"), "utf8").catch(() => "");
    const pid = Number(text);
    const command = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
    // The number may be another process's by now.
    if (pid > 1 && command.includes(id)) pids.push(pid);
  }
  return pids;
}

async function killAll(cgroups: CgroupHost, parent: string): Promise<void> {
  for (let waited = 0; waited < WAIT_MS; waited += POLL_MS) {
    const pids = await cgroupProcesses(cgroups, parent);
    if (pids.length === 0) return;
    for (const pid of pids) sendSignal(pid, "SIGKILL");
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  throw new Error(`processes in control group ${parent} don't end`);
}

async function waitUntilGone(pids: readonly number[]): Promise<void> {
  for (let waited = 0; waited < WAIT_MS; waited += POLL_MS) {
    const times = await Promise.all(pids.map((pid) => processStartTime(pid)));
    if (times.every((time) => time === undefined)) return;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  // conmon has nothing left to watch.
  for (const pid of pids) sendSignal(pid, "SIGKILL");
}

/** The kernel needs a moment until a group of ended processes can be removed. */
async function removeGroups(cgroups: CgroupHost, parent: string): Promise<void> {
  for (let waited = 0; waited < WAIT_MS; waited += POLL_MS) {
    await removeCgroup(cgroups, parent);
    await removeEmptyParents(cgroups, parent);
    const left = await Promise.all(
      [...new Set(cgroups.roots.values())].map((root) =>
        readdir(join(root, parent)).then(
          () => true,
          () => false,
        ),
      ),
    );
    if (!left.includes(true)) return;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  throw new Error(`control group ${parent} can't be removed`);
}
