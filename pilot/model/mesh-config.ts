/** Settings of the whole mesh: the part of Istio's MeshConfig that translation reads, parsed. */

import type { EdgeSettings } from "./edge.ts";
import type {
  ClientTLSSettings,
  ConnectionPoolSettings,
  LocalityLoadBalancerSetting,
  OutlierDetection,
  ZoneAwareLoadBalancerSetting,
} from "#crds/types/networking-v1.ts";

import {
  BUILT_IN_PROVIDERS,
  type DefaultProviders,
  type ExtensionProvider,
} from "./extension-provider.ts";

export type OutboundPolicy = "ALLOW_ANY" | "REGISTRY_ONLY" | "ALLOW_ANY_DYNAMIC_DNS";

export interface TcpKeepalive {
  readonly probes?: number;
  readonly timeSeconds?: number;
  readonly intervalSeconds?: number;
}

export interface MeshConfig {
  /** Objects here apply to every namespace. */
  readonly rootNamespace: string;
  readonly trustDomain: string;
  readonly clusterDomain: string;
  /** Empty: no access log. */
  readonly accessLogFile: string;
  /** Empty: Istio's default format. */
  readonly accessLogFormat: string;
  readonly accessLogEncoding: "TEXT" | "JSON";
  readonly outboundTrafficPolicy: OutboundPolicy;
  /** Of calls to any name (`ALLOW_ANY_DYNAMIC_DNS`); absent: plain text. */
  readonly outboundTls?: ClientTLSSettings;
  readonly inboundTrafficPolicy: "PASSTHROUGH" | "LOCALHOST";
  readonly connectTimeoutMs: number;
  /** 0: wait for bytes as long as it takes. */
  readonly protocolDetectionTimeoutMs: number;
  readonly defaultServiceExportTo: readonly string[];
  readonly defaultVirtualServiceExportTo: readonly string[];
  readonly defaultDestinationRuleExportTo: readonly string[];
  readonly tcpKeepalive?: TcpKeepalive;
  /** Replaces the built-in retries of routes that say nothing about them. */
  readonly defaultRetries?: MeshRetries;
  /** For destinations whose rule says nothing about places. */
  readonly localityLb: LocalityLoadBalancerSetting;
  readonly zoneAwareLb?: ZoneAwareLoadBalancerSetting;
  /** Where rules say nothing about them. */
  readonly defaultConnectionPool?: ConnectionPoolSettings;
  readonly defaultOutlierDetection?: OutlierDetection;
  /** Clusters of HTTP ports speak HTTP/2 where no rule says otherwise. */
  readonly upgradeToHttp2: boolean;
  readonly dnsRefreshMs: number;
  /** Pattern of clusters' names in metrics; empty: the cluster's own name. */
  readonly outboundStatName: string;
  /** The same of the clusters of a workload's own ports. */
  readonly inboundStatName: string;
  /** Collectors and logs that Telemetry objects name. */
  readonly extensionProviders: readonly ExtensionProvider[];
  readonly defaultProviders: DefaultProviders;
  readonly tracing: TracingDefaults;
  /** Logs connections that found no listener's chain. */
  readonly listenerLog: boolean;
  /** Of servers of gateways that say nothing themselves. */
  readonly tlsDefaults?: TlsDefaults;
  /** What stands before gateways that say nothing themselves. */
  readonly gatewayTopology?: EdgeSettings;
  readonly pathNormalization: PathNormalization;
  /** Mutual TLS between proxies where no policy says otherwise. */
  readonly peerTls: PeerTls;
  /** Clients use it wherever endpoints take it; else only where a rule says so. */
  readonly automaticTls: boolean;
  /** What workloads take from each other. */
  readonly peerTlsLimits?: TlsDefaults;
  /** Name of the cluster that configuration comes from, as its proxies know it. */
  readonly clusterId: string;
  /** The cluster's DNS answers with the addresses that hosts of ServiceEntries were given. */
  readonly dnsTellsAllocated: boolean;
  /** Hosts whose endpoints are called from their own cluster only, or expressly from everywhere. */
  readonly clusterLocalHosts: readonly ClusterLocalHost[];
  /** Namespaces that the mesh looks at; none: all. */
  readonly discoverySelectors: readonly NamespaceSelector[];
}

export interface ClusterLocalHost {
  readonly host: string;
  readonly local: boolean;
}

/** A label selector as Kubernetes writes it. */
export interface NamespaceSelector {
  readonly matchLabels?: Readonly<Record<string, string>>;
  readonly matchExpressions?: readonly {
    readonly key: string;
    readonly operator: string;
    readonly values?: readonly string[];
  }[];
}

/** How paths are made equal before they are matched; each does what those before it do. */
export type PathNormalization = "NONE" | "BASE" | "MERGE_SLASHES" | "DECODE_AND_MERGE_SLASHES";

/** What holds for traces where no Telemetry object says otherwise. */
export interface TracingDefaults {
  readonly enabled: boolean;
  readonly samplingPercent: number;
  readonly maxTagLength?: number;
}

/** `PERMISSIVE` takes both and prefers TLS; `DISABLE` needs no certificates in proxies. */
export type PeerTls = "DISABLE" | "PERMISSIVE" | "STRICT";

export interface TlsDefaults {
  readonly minVersion?: "TLSv1_2" | "TLSv1_3";
  readonly cipherSuites: readonly string[];
  readonly curves: readonly string[];
}

export interface MeshRetries {
  readonly attempts: number;
  readonly retryOn?: string;
  readonly perTryTimeoutMs?: number;
}

/** Istio's defaults. */
export const DEFAULT_MESH: MeshConfig = {
  rootNamespace: "istio-system",
  trustDomain: "cluster.local",
  clusterDomain: "cluster.local",
  accessLogFile: "",
  accessLogFormat: "",
  accessLogEncoding: "TEXT",
  outboundTrafficPolicy: "ALLOW_ANY",
  inboundTrafficPolicy: "PASSTHROUGH",
  connectTimeoutMs: 10_000,
  protocolDetectionTimeoutMs: 0,
  defaultServiceExportTo: ["*"],
  defaultVirtualServiceExportTo: ["*"],
  defaultDestinationRuleExportTo: ["*"],
  localityLb: {},
  upgradeToHttp2: false,
  dnsRefreshMs: 60_000,
  outboundStatName: "",
  inboundStatName: "",
  automaticTls: true,
  extensionProviders: BUILT_IN_PROVIDERS,
  defaultProviders: { accessLogging: [], tracing: [], metrics: [] },
  tracing: { enabled: true, samplingPercent: 1 },
  listenerLog: true,
  pathNormalization: "BASE",
  peerTls: "PERMISSIVE",
  clusterId: "Kubernetes",
  dnsTellsAllocated: false,
  clusterLocalHosts: [],
  discoverySelectors: [],
};
