/** The configuration that each process is started with. */

import type {
  ClusterNetwork,
  ControlPlaneConfig,
  DnsConfig,
  PilotConfig,
} from "#cluster/api/process-config.ts";
import type { ClusterPki } from "#cli/pki.ts";
import type { ClusterRecord, StatePaths } from "#cli/state.ts";
import type { FabricPorts } from "./ports.ts";

const DNS_PORT = 53;

/** Of each node's DNS. */
export function dnsConfig(input: {
  network: ClusterNetwork;
  nodeAddress: string;
  kubeconfig: string;
  relayPort: number;
}): DnsConfig {
  const { network, nodeAddress, kubeconfig, relayPort } = input;
  return {
    kubeconfig,
    network,
    listen: { address: nodeAddress, port: DNS_PORT },
    upstreams: [`${network.hostAddress}:${relayPort}`],
  };
}

/** Of the control plane. */
export function controlPlaneConfig(input: {
  record: ClusterRecord;
  paths: StatePaths;
  pki: ClusterPki;
  kubeconfig: string;
  webhookPort: number;
  ports: FabricPorts;
}): ControlPlaneConfig {
  const { record, paths, pki, ports } = input;
  const { network } = record;
  return {
    clusterName: record.name,
    stateDir: paths.root,
    network,
    listen: [
      { address: "127.0.0.1", port: record.apiServerPort },
      { address: network.hostAddress, port: ports.apiServer },
    ],
    serving: pki.apiServer,
    caKeyFile: pki.caKeyFile,
    serviceAccountKeyFile: pki.serviceAccountKeyFile,
    kubeletClient: pki.apiServerKubeletClient,
    kubeconfig: input.kubeconfig,
    storeFile: paths.storeFile,
    webhookPort: input.webhookPort,
    webhookServing: pki.webhook,
    discovery: {
      address: network.hostAddress,
      port: ports.discovery,
      httpPort: ports.discoveryHttp,
    },
    dnsRelayPort: ports.dnsRelay,
    localhostDir: paths.localhost,
  };
}

/** Of the discovery server. */
export function pilotConfig(input: {
  record: ClusterRecord;
  pki: ClusterPki;
  kubeconfig: string;
  ports: FabricPorts;
}): PilotConfig {
  const { record, pki, kubeconfig, ports } = input;
  const { hostAddress, clusterDomain } = record.network;
  return {
    clusterName: record.name,
    kubeconfig,
    clusterDomain,
    listen: { address: hostAddress, port: ports.discovery },
    serving: pki.pilotServing,
    http: { address: hostAddress, port: ports.discoveryHttp },
    webhook: { address: hostAddress, port: ports.discoveryWebhook },
  };
}
