/** A cluster's network from nothing to nothing, with a packet between every two places. */

import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { createFabric, createNode, deleteFabric, deleteNode } from "#cluster/network/fabric.ts";
import { listLeftovers, listNodes } from "#cluster/network/fabric.ts";
import { readHostRanges } from "#cluster/network/host-ranges.ts";
import { applyIp } from "#cluster/network/ip.ts";
import { podNamespacePrefixOf } from "#cluster/network/name.ts";
import { chooseClusterNetwork, planCluster } from "#cluster/network/plan.ts";
import { namespaceCommand } from "#cluster/network/run-in-namespace.ts";

const execute = promisify(execFile);
const name = process.argv[2] ?? "";
const network = planCluster({ name, index: 0, owner: "/srv/story" });
const podScript = new URL("./pod-story.ts", import.meta.url).pathname;

async function canReach(from: string | undefined, address: string): Promise<boolean> {
  const probe = `
    const s = require("net").connect({ host: process.argv[1], port: 9, timeout: 3000 });
    s.on("error", (e) => { console.log(e.code); });
    s.on("timeout", () => { console.log("TIMEOUT"); s.destroy(); });`;
  const [command, ...rest] = namespaceCommand(from, [process.execPath, "-e", probe, address]);
  const { stdout } = await execute(command, rest);
  // Nobody listens there: a refusal has come from the address itself.
  return stdout.trim() === "ECONNREFUSED";
}

async function createPods(nodeName: string, gatewayAddress: string): Promise<string[]> {
  const prefix = podNamespacePrefixOf(network, nodeName);
  const [command, ...rest] = namespaceCommand(prefix.slice(0, -1), [
    process.execPath,
    podScript,
    prefix,
    gatewayAddress,
  ]);
  const { stdout } = await execute(command, rest);
  return JSON.parse(stdout) as string[];
}

async function liveThrough(): Promise<object> {
  await applyIp(["link set lo up"]);
  await createFabric(network);
  await createFabric(network);
  const [one, two] = await Promise.all([
    createNode({ network, nodeName: "node-1", index: 1 }),
    createNode({ network, nodeName: "node-2", index: 2 }),
  ]);
  await createNode({ network, nodeName: "node-1", index: 1 });
  const taken = await createNode({ network, nodeName: "other", index: 2 }).catch((e: Error) => e);
  const chosen = chooseClusterNetwork({
    name: "other",
    owner: "/srv/other",
    hostRoutes: await readHostRanges(),
    taken: [],
  });
  const again = chooseClusterNetwork({
    name,
    owner: "/srv/story",
    hostRoutes: await readHostRanges(),
    taken: [],
    previous: network,
  });
  const [podOne, podTwo] = await createPods("node-1", one.gatewayAddress);
  const [podThree] = await createPods("node-2", two.gatewayAddress);
  const podOneNamespace = `${one.podNamespacePrefix}a`;
  const reached = {
    hostToPod: await canReach(undefined, podOne ?? ""),
    hostToPodOfNode2: await canReach(undefined, podThree ?? ""),
    podToPod: await canReach(podOneNamespace, podTwo ?? ""),
    podToPodOfNode2: await canReach(podOneNamespace, podThree ?? ""),
    podToHost: await canReach(podOneNamespace, network.hostAddress),
    nodeToPodOfNode2: await canReach(one.namespace, podThree ?? ""),
    hostToDnsAddress: await canReach(undefined, network.dnsAddress),
  };
  const nodes = await listNodes(network);
  await deleteNode({ network, nodeName: "node-2", index: 2 });
  await deleteNode({ network, nodeName: "node-2", index: 2 });
  const afterNode2 = await listLeftovers(network);
  return {
    reached,
    nodes,
    taken: taken instanceof Error ? taken.message : "no error",
    chosen: chosen.podCidr,
    again: again.podCidr,
    afterNode2,
  };
}

try {
  const seen = await liveThrough();
  await deleteFabric(network);
  await deleteFabric(network);
  console.log(JSON.stringify({ ...seen, afterAll: await listLeftovers(network) }));
} finally {
  await deleteFabric(network);
}
