/** What an administrator decides once for all injected pods. */

import type {
  Lifecycle,
  ResourceRequirements,
  SeccompProfile,
} from "#cluster/api/generated/core-v1.ts";
import type { LabelSelector } from "#cluster/api/meta.ts";
import type { PodTemplate } from "./template.ts";

export interface InjectorConfig {
  /** Value of `istio.io/rev` that selects this injector. */
  revision: string;
  /** Further values of `istio.io/rev` that select it (Istio's revision tags). */
  tags: readonly string[];
  /** Whether a pod that says nothing, in a namespace that agrees, gets a proxy. */
  policy: "enabled" | "disabled";
  /** Pods of these labels get no proxy, those of the second list do, whatever the policy says. */
  neverInject: readonly LabelSelector[];
  alwaysInject: readonly LabelSelector[];
  /** Templates of pods that name none; `sidecar` and `gateway` are built in. */
  defaultTemplates: readonly string[];
  /** Another name → the templates that it stands for. */
  aliases: Readonly<Record<string, readonly string[]>>;
  /** The administrator's own templates (`template.ts`). */
  templates: Readonly<Record<string, PodTemplate>>;
  injectedAnnotations: Readonly<Record<string, string>>;

  /** Image of Envoy, nft and bash; both containers use it. */
  proxyImage: string;
  imagePullPolicy?: "Always" | "IfNotPresent" | "Never";
  imagePullSecrets: readonly string[];
  /** `host:port` of the discovery server as the pod resolves it. */
  discoveryAddress: string;
  /** Name that the discovery server's certificate must carry, and the SNI to ask for. */
  discoveryName: string;
  rootCa: RootCa;
  clusterDomain: string;
  /** CLUSTER_ID, NETWORK and MESH_ID in the node's metadata. */
  clusterId: string;
  network: string;
  meshId: string;

  logLevel: string;
  componentLogLevel: string;
  /** Access logs of Envoy's own process as JSON lines. */
  logAsJson: boolean;
  /** Worker threads of a sidecar and of a gateway. */
  concurrency: { sidecar: number; gateway: number };
  /** How long Envoy asks its clients to reconnect elsewhere after the pod was told to stop. */
  drainSeconds: number;
  /** How long a proxy that ends together with its app goes on serving after it was told to stop. */
  terminationSeconds: number;
  resources: ResourceRequirements;
  /** The mesh's `defaultConfig`, below a pod's own `proxy.istio.io/config`. */
  proxyConfig: Readonly<Record<string, unknown>>;

  nativeSidecar: boolean;
  /** In classic mode: the app's containers start after the proxy is ready. */
  holdApplication: boolean;
  rewriteProbes: boolean;
  /** The address at which apps take probes: LOCALHOST where the mesh's inbound traffic goes there. */
  probeDestination: "pod" | "localhost";
  prometheusMerge: boolean;
  statusPort: number;
  readiness: { initialDelaySeconds: number; periodSeconds: number; failureThreshold: number };
  /** Null: no startup probe. */
  startupFailureThreshold: number | null;
  traffic: TrafficDefaults;
  privileged: boolean;
  lifecycle?: Lifecycle;
  seccompProfile?: SeccompProfile;
  /** Search domains of injected pods; `${pod.namespace}` is filled in. */
  dnsSearches: readonly string[];
}

/** Where a proxy finds the certificate authority that signs the discovery server. */
export type RootCa =
  { kind: "configMap"; name: string; key: string } | { kind: "inline"; pem: string };

/** Values of `traffic.sidecar.istio.io/*` for pods without the annotation; `*` is everything. */
export interface TrafficDefaults {
  includeInboundPorts: string;
  excludeInboundPorts: string;
  includeOutboundPorts: string;
  excludeOutboundPorts: string;
  includeOutboundIPRanges: string;
  excludeOutboundIPRanges: string;
  excludeInterfaces: string;
}

/**
 * Requests are what Envoy really needs here (15 MiB each when many run); limits are Istio's.
 * Everything can be changed a pod by its annotations.
 */
export const DEFAULT_CONFIG: InjectorConfig = {
  revision: "default",
  tags: [],
  policy: "enabled",
  neverInject: [],
  alwaysInject: [],
  defaultTemplates: ["sidecar"],
  aliases: {},
  templates: {},
  injectedAnnotations: {},
  proxyImage: "lateen.dev/proxy:1",
  imagePullSecrets: [],
  // The final dot saves the resolver its search list: one question instead of four.
  discoveryAddress: "istiod.istio-system.svc.cluster.local.:15012",
  discoveryName: "istiod.istio-system.svc",
  rootCa: { kind: "configMap", name: "kube-root-ca.crt", key: "ca.crt" },
  clusterDomain: "cluster.local",
  clusterId: "Kubernetes",
  network: "",
  meshId: "cluster.local",
  logLevel: "warning",
  componentLogLevel: "misc:error",
  logAsJson: false,
  concurrency: { sidecar: 1, gateway: 2 },
  drainSeconds: 45,
  terminationSeconds: 5,
  resources: {
    requests: { cpu: "10m", memory: "40Mi" },
    limits: { cpu: "2", memory: "1Gi" },
  },
  proxyConfig: {},
  nativeSidecar: true,
  holdApplication: false,
  rewriteProbes: true,
  probeDestination: "pod",
  prometheusMerge: true,
  statusPort: 15_020,
  readiness: { initialDelaySeconds: 0, periodSeconds: 15, failureThreshold: 4 },
  startupFailureThreshold: 600,
  traffic: {
    includeInboundPorts: "*",
    excludeInboundPorts: "",
    includeOutboundPorts: "",
    excludeOutboundPorts: "",
    includeOutboundIPRanges: "*",
    excludeOutboundIPRanges: "",
    excludeInterfaces: "",
  },
  privileged: false,
  dnsSearches: [],
};

/** Envoy's user and group: the redirect lets their connections pass. */
export const PROXY_UID = 1337;

/** Istio's port numbers. */
export const PORTS = {
  admin: 15_000,
  outbound: 15_001,
  inbound: 15_006,
  tunnel: 15_008,
  health: 15_021,
  stats: 15_090,
} as const;
