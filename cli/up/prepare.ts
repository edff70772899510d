/** Everything that must be settled before the first process starts: addresses, names, keys, files. */

import { readdir } from "node:fs/promises";
import path from "node:path";
import type { ClusterNetwork, NodeConfig } from "#cluster/api/process-config.ts";
import { isPortFree } from "#cluster/localhost/port-free.ts";
import { readHostRanges } from "#cluster/network/host-ranges.ts";
import { chooseClusterNetwork } from "#cluster/network/plan.ts";
import type { ClusterPki } from "#cli/pki.ts";
import { ensurePki } from "#cli/pki.ts";
import type { ClusterRecord, StatePaths } from "#cli/state.ts";
import {
  UsageError,
  isMissing,
  readClusterRecord,
  readRecordFile,
  statePaths,
  writeAtomically,
} from "#cli/state.ts";
import { imagesText } from "./images.ts";
import type { UpOptions } from "./options.ts";
import type { PlannedNode } from "./plan-nodes.ts";
import { plannedNode } from "./plan-nodes.ts";
import type { FabricPorts } from "./ports.ts";
import { fabricPorts, freePort } from "./ports.ts";
import { controlPlaneConfig, dnsConfig, pilotConfig } from "./process-configs.ts";
import { kubeconfigText } from "./kubeconfig.ts";

/** A node with the file of its agent's configuration. */
export interface PreparedNode extends PlannedNode {
  kubeletConfigFile: string;
  dnsConfigFile: string;
  config: NodeConfig;
}

export interface PreparedCluster {
  paths: StatePaths;
  record: ClusterRecord;
  nodes: PreparedNode[];
  controlPlaneConfigFile: string;
  pilotConfigFile: string;
  ports: FabricPorts;
  envoy: string;
}

const PREFERRED_API_PORT = 6443;

/** Chooses network and ports, makes certificates and writes every process's configuration. */
export async function prepareCluster(
  options: UpOptions,
  envoy: string,
  notice: (line: string) => void,
): Promise<PreparedCluster> {
  const paths = statePaths(options);
  const record = await settleRecord(options, paths, notice);
  const { network } = record;
  const nodes = Array.from({ length: record.nodeCount }, (_, position) =>
    plannedNode(record, paths, position + 1),
  );
  const pki = await ensurePki({
    dir: paths.pki,
    network,
    kubernetesAddress: firstAddress(network.serviceCidr),
    nodes: nodes.map(({ name, config }) => ({ name, address: config.nodeAddress })),
  });
  await writeAtomically(paths.imagesFile, imagesText(envoy));
  const write = async (name: string, value: unknown): Promise<string> => {
    const file = path.join(paths.config, `${name}.json`);
    await writeAtomically(file, JSON.stringify(value, null, 2));
    return file;
  };
  const ports = await fabricPorts();
  const clients = await writeKubeconfigs({ record, paths, pki, ports });
  const prepared = await Promise.all(
    nodes.map(async (node): Promise<PreparedNode> => {
      const kubeconfig = clients.get(`kubelet-${node.name}`) ?? "";
      const config = { ...node.config, kubeconfig, serving: serving(pki, node.name) };
      const dns = dnsConfig({
        network,
        nodeAddress: node.config.nodeAddress,
        kubeconfig: clients.get("dns") ?? "",
        relayPort: ports.dnsRelay,
      });
      return {
        ...node,
        config,
        kubeletConfigFile: await write(`kubelet-${node.name}`, config),
        dnsConfigFile: await write(`dns-${node.name}`, dns),
      };
    }),
  );
  const webhookPort = await freePort(record.apiServerPort + 1);
  return {
    paths,
    record,
    nodes: prepared,
    ports,
    envoy,
    controlPlaneConfigFile: await write(
      "control-plane",
      controlPlaneConfig({
        record,
        paths,
        pki,
        kubeconfig: clients.get("control-plane") ?? "",
        webhookPort,
        ports,
      }),
    ),
    pilotConfigFile: await write(
      "pilot",
      pilotConfig({ record, pki, kubeconfig: clients.get("pilot") ?? "", ports }),
    ),
  };
}

async function settleRecord(
  options: UpOptions,
  paths: StatePaths,
  notice: (line: string) => void,
): Promise<ClusterRecord> {
  const previous = await readClusterRecord(paths);
  const [hostRoutes, taken] = await Promise.all([readHostRanges(), otherNetworks(paths, notice)]);
  let network: ClusterNetwork;
  try {
    network = chooseClusterNetwork({
      name: options.name,
      owner: paths.root,
      hostRoutes,
      taken,
      previous: previous?.network,
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error), { cause: error });
  }
  const record: ClusterRecord = {
    name: options.name,
    nodeCount: options.nodes ?? previous?.nodeCount ?? 1,
    network,
    apiServerPort: await apiServerPort(options, previous, notice),
  };
  await writeAtomically(paths.clusterFile, JSON.stringify(record, null, 2));
  return record;
}

async function apiServerPort(
  options: UpOptions,
  previous: ClusterRecord | undefined,
  notice: (line: string) => void,
): Promise<number> {
  const wanted = options.apiPort ?? previous?.apiServerPort ?? PREFERRED_API_PORT;
  if (await isPortFree(wanted)) return wanted;
  if (options.apiPort !== undefined) {
    throw new UsageError(`--api-port ${wanted}: the port is taken on 127.0.0.1; choose another`);
  }
  const port = await freePort(wanted + 1);
  notice(`port ${wanted} is taken on 127.0.0.1: the API server listens on ${port}`);
  return port;
}

/** Networks of the clusters beside this one in the same home, running or not. */
async function otherNetworks(
  paths: StatePaths,
  notice: (line: string) => void,
): Promise<ClusterNetwork[]> {
  const home = path.dirname(paths.root);
  const names = await readdir(home).catch((error: unknown) => {
    if (isMissing(error)) return [];
    throw error;
  });
  const others = names.filter((name) => name !== path.basename(paths.root));
  const records = await Promise.all(
    others.map((name) =>
      readRecordFile(path.join(home, name, "cluster.json")).catch((error: unknown) => {
        // Another cluster's damage is no reason not to start: what it routes is seen anyway.
        notice(error instanceof Error ? error.message : String(error));
        return undefined;
      }),
    ),
  );
  return records.flatMap((record) => (record === undefined ? [] : [record.network]));
}

function serving(pki: ClusterPki, node: string): NodeConfig["serving"] {
  const files = pki.kubeletServing[node];
  if (files === undefined) throw new Error(`no serving certificate for ${node}`);
  return files;
}

/** A kubeconfig for each of our own clients (in `config/`) and the user's own. */
async function writeKubeconfigs(input: {
  record: ClusterRecord;
  paths: StatePaths;
  pki: ClusterPki;
  ports: FabricPorts;
}): Promise<Map<string, string>> {
  const { record, paths, pki, ports } = input;
  const local = `https://127.0.0.1:${record.apiServerPort}`;
  const fabric = `https://${record.network.hostAddress}:${ports.apiServer}`;
  const clients = [
    { name: "control-plane", server: local, client: pki.controlPlane },
    { name: "pilot", server: local, client: pki.pilotClient },
    { name: "dns", server: fabric, client: pki.dnsClient },
    ...Object.entries(pki.kubeletClient).map(([node, client]) => ({
      name: `kubelet-${node}`,
      server: fabric,
      client,
    })),
  ];
  const files = new Map<string, string>();
  for (const { name, server, client } of clients) {
    const file = path.join(paths.config, `${name}.kubeconfig`);
    await writeAtomically(file, await kubeconfigText({ clusterName: record.name, server, client }));
    files.set(name, file);
  }
  const admin = { clusterName: record.name, server: local, client: pki.admin };
  await writeAtomically(paths.kubeconfig, await kubeconfigText(admin));
  return files;
}

function firstAddress(cidr: string): string {
  const [base = ""] = cidr.split("/");
  return base.replace(/\.\d+$/, ".1");
}
