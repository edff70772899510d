/** The configuration that each process is started with. */

import type {
  ClusterNetwork,
  ControlPlaneConfig,
  DnsConfig,
  PilotConfig,
} from "#cluster/api/process-config.ts";
import type { ClusterPki } from "#cli/pki.ts";
import type { ClusterRecord, StatePaths } from "#cli/state.ts";

/** Where nodes and pods reach the API server, on the host's fabric address. */
export const FABRIC_API_PORT = 6443;
const DISCOVERY_PORT = 15_012;
const DISCOVERY_HTTP_PORT = 15_014;
const DNS_PORT = 53;

/** Of each node's DNS. */
export function dnsConfig(
  network: ClusterNetwork,
  nodeAddress: string,
  kubeconfig: string,
): DnsConfig {
  return {
    kubeconfig,
    network,
    listen: { address: nodeAddress, port: DNS_PORT },
    upstreams: [`${network.hostAddress}:${DNS_PORT}`],
  };
}

/** Of the control plane. */
export function controlPlaneConfig(input: {
  record: ClusterRecord;
  paths: StatePaths;
  pki: ClusterPki;
  kubeconfig: string;
  webhookPort: number;
}): ControlPlaneConfig {
  const { record, paths, pki } = input;
  const { network } = record;
  return {
    clusterName: record.name,
    stateDir: paths.root,
    network,
    listen: [
      { address: "127.0.0.1", port: record.apiServerPort },
      { address: network.hostAddress, port: FABRIC_API_PORT },
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
      port: DISCOVERY_PORT,
      httpPort: DISCOVERY_HTTP_PORT,
    },
    localhostDir: paths.localhost,
  };
}

/** Of the discovery server. */
export function pilotConfig(
  record: ClusterRecord,
  pki: ClusterPki,
  kubeconfig: string,
): PilotConfig {
  const { hostAddress, clusterDomain } = record.network;
  return {
    clusterName: record.name,
    kubeconfig,
    clusterDomain,
    listen: { address: hostAddress, port: DISCOVERY_PORT },
    serving: pki.pilotServing,
    http: { address: hostAddress, port: DISCOVERY_HTTP_PORT },
  };
}
