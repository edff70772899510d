/** What an administrator decides once for all injected pods. */

import type { ResourceRequirements } from "#cluster/api/generated/core-v1.ts";

export interface InjectorConfig {
  /** Value of `istio.io/rev` that selects this injector. */
  revision: string;
  /** Image of Envoy and nft; both containers use it. */
  proxyImage: string;
  /** `host:port` of the discovery server as the pod resolves it. */
  discoveryAddress: string;
  /** Name that the discovery server's certificate must carry, and the SNI to ask for. */
  discoveryName: string;
  /** Where each namespace finds the certificate authority that signs the discovery server. */
  rootCa: { configMap: string; key: string };
  clusterDomain: string;
  /** CLUSTER_ID in the node's metadata. */
  clusterId: string;
  meshId: string;
  logLevel: string;
  componentLogLevel: string;
  /** Worker threads of a sidecar and of a gateway. */
  concurrency: { sidecar: number; gateway: number };
  /** How long Envoy asks its clients to reconnect elsewhere after the pod was told to stop. */
  drainSeconds: number;
  /** How long a gateway goes on serving after it was told to stop. */
  gatewayTerminationSeconds: number;
  resources: ResourceRequirements;
}

/**
 * Requests are what Envoy really needs here (15 MiB each when many run); limits are Istio's.
 * Everything can be changed a pod by its annotations.
 */
export const DEFAULT_CONFIG: InjectorConfig = {
  revision: "default",
  proxyImage: "lateen.dev/proxy:1",
  // The final dot saves the resolver its search list: one question instead of four.
  discoveryAddress: "istiod.istio-system.svc.cluster.local.:15012",
  discoveryName: "istiod.istio-system.svc",
  rootCa: { configMap: "kube-root-ca.crt", key: "ca.crt" },
  clusterDomain: "cluster.local",
  clusterId: "Kubernetes",
  meshId: "cluster.local",
  logLevel: "warning",
  componentLogLevel: "misc:error",
  concurrency: { sidecar: 1, gateway: 2 },
  drainSeconds: 45,
  gatewayTerminationSeconds: 5,
  resources: {
    requests: { cpu: "10m", memory: "40Mi" },
    limits: { cpu: "2", memory: "1Gi" },
  },
};

/** Envoy's user and group: the redirect lets their connections pass. */
export const PROXY_UID = 1337;

/** Istio's port numbers. */
export const PORTS = {
  admin: 15_000,
  outbound: 15_001,
  inbound: 15_006,
  tunnel: 15_008,
  agent: 15_020,
  health: 15_021,
  stats: 15_090,
} as const;
