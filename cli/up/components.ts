/** How each process of a cluster is run. */

import path from "node:path";
import { isGatewayReady } from "#cluster/localhost/gateway.ts";
import { namespaceCommand } from "#cluster/network/run-in-namespace.ts";
import type { ComponentSpec } from "#cli/supervisor/component.ts";
import { nodeEnvironment } from "./node-environment.ts";
import type { PreparedCluster, PreparedNode } from "./prepare.ts";

const ROOT = path.dirname(path.dirname(import.meta.dirname));

interface NodeProcess {
  name: string;
  entry: string;
  configFile: string;
  /** Network namespace; the host's when absent. */
  namespace?: string;
  maxHeapMiB: number;
}

function nodeProcess(cluster: PreparedCluster, options: NodeProcess): ComponentSpec {
  const [command, ...args] = namespaceCommand(options.namespace, [
    process.execPath,
    `--max-old-space-size=${options.maxHeapMiB}`,
    "--disable-warning=ExperimentalWarning",
    path.join(ROOT, options.entry),
    options.configFile,
  ]);
  return {
    name: options.name,
    command,
    args,
    env: nodeEnvironment(),
    logFile: path.join(cluster.paths.logs, `${options.name}.log`),
  };
}

export function controlPlane(cluster: PreparedCluster): ComponentSpec {
  return nodeProcess(cluster, {
    name: "control-plane",
    entry: "cluster/main.ts",
    configFile: cluster.controlPlaneConfigFile,
    maxHeapMiB: 2048,
  });
}

export function pilot(cluster: PreparedCluster): ComponentSpec {
  return nodeProcess(cluster, {
    name: "pilot",
    entry: "pilot/main.ts",
    configFile: cluster.pilotConfigFile,
    maxHeapMiB: 4096,
  });
}

export function nodeAgent(cluster: PreparedCluster, node: PreparedNode): ComponentSpec {
  return nodeProcess(cluster, {
    name: `node-agent-${node.name}`,
    entry: "cluster/kubelet/main.ts",
    configFile: node.kubeletConfigFile,
    namespace: node.namespace,
    maxHeapMiB: 1024,
  });
}

export function dns(cluster: PreparedCluster, node: PreparedNode): ComponentSpec {
  return nodeProcess(cluster, {
    name: `dns-${node.name}`,
    entry: "cluster/dns/main.ts",
    configFile: node.dnsConfigFile,
    namespace: node.namespace,
    maxHeapMiB: 512,
  });
}

/** An Envoy on the host that carries localhost ports to LoadBalancer addresses. */
export function localhostGateway(cluster: PreparedCluster): ComponentSpec {
  const { paths, envoy } = cluster;
  const bootstrap = path.join(paths.localhost, "bootstrap.yaml");
  return {
    name: "localhost-gateway",
    command: envoy,
    args: [
      "-c",
      bootstrap,
      "--concurrency",
      "1",
      "--disable-hot-restart",
      "--log-level",
      "warning",
    ],
    logFile: path.join(paths.logs, "localhost-gateway.log"),
    cwd: paths.localhost,
    isReady: () => isGatewayReady(paths.localhost),
  };
}
