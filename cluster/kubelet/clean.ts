/** Ends and removes everything of a node: what `lateen down` calls when the agent has stopped. */

import { readFile, readdir, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import type { NodeConfig } from "#cluster/api/process-config.ts";
import { deletePodNetwork, listPodNetworks } from "#cluster/network/pod-network.ts";
import {
  type CgroupHost,
  cgroupProcesses,
  detectCgroups,
  removeCgroup,
  removeEmptyParents,
} from "#cluster/runtime/cgroup.ts";
import { sendSignal } from "#cluster/runtime/process.ts";
import { nodePaths } from "./node-paths.ts";
import { unmountBelow } from "./volumes/directories.ts";

const WAIT_MS = 10_000;
const POLL_MS = 10;
/** Longer than a monitor needs to free a container. */
const MONITOR_GRACE_MS = 5_000;

/**
 * Kills every container of the node, also those that are being made, waits for their monitors, and
 * removes mounts, control groups, pod networks and the node's folders of containers and pods. Logs
 * stay. Safe to call again; the node agent must not run.
 */
export async function cleanNode(config: Omit<NodeConfig, "kubeconfig" | "serving">): Promise<void> {
  const paths = nodePaths(config);
  const cgroups = await detectCgroups();
  await endContainers(cgroups, config.cgroupParent, paths.nodeDir);
  await unmountBelow(paths.nodeDir);
  await removeGroups(cgroups, config.cgroupParent);
  for (const namespace of await listPodNetworks(config.podNamespacePrefix)) {
    await deletePodNetwork(namespace);
  }
  for (const name of ["containers", "exits", "oci", "pods", "views"]) {
    await rm(join(paths.nodeDir, name), { recursive: true, force: true });
  }
}

/**
 * An agent that was killed leaves its runtime's commands behind, which go on making control groups
 * and containers: both must be gone at the same look. Monitors end with their containers, after
 * they have freed them; one that doesn't has nothing left to watch and is ended in the end.
 */
async function endContainers(cgroups: CgroupHost, parent: string, nodeDir: string): Promise<void> {
  for (let waited = 0; waited < WAIT_MS; waited += POLL_MS) {
    const commands = await runtimeCommands(nodeDir);
    const contained = await cgroupProcesses(cgroups, parent);
    if (commands.length + contained.length === 0) return;
    const isLate = waited > MONITOR_GRACE_MS;
    const ended = commands.filter(({ isMonitor }) => isLate || !isMonitor);
    for (const pid of [...ended.map(({ pid }) => pid), ...contained]) sendSignal(pid, "SIGKILL");
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  throw new Error(`processes in control group ${parent} don't end`);
}

/** Monitors and commands of the OCI runtime, known by the runtime's state folder of this node. */
async function runtimeCommands(nodeDir: string): Promise<{ pid: number; isMonitor: boolean }[]> {
  const root = `--root=${join(nodeDir, "oci")}`;
  const pids = (await readdir("/proc")).filter((name) => /^[0-9]+$/.test(name)).map(Number);
  const found = await Promise.all(
    pids.map(async (pid) => {
      const text = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
      const [program = "", ...args] = text.split("\0");
      if (!args.some((argument) => argument.endsWith(root))) return [];
      return [{ pid, isMonitor: basename(program) === "conmon" }];
    }),
  );
  return found.flat();
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
