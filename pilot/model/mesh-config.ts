/** Settings of the whole mesh: the part of Istio's MeshConfig that translation reads, parsed. */

export type OutboundPolicy = "ALLOW_ANY" | "REGISTRY_ONLY";

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
  readonly localityFailover: boolean;
  /** Mutual TLS between proxies where no policy says otherwise. */
  readonly peerTls: PeerTls;
}

/** `PERMISSIVE` takes both and prefers TLS; `DISABLE` needs no certificates in proxies. */
export type PeerTls = "DISABLE" | "PERMISSIVE" | "STRICT";

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
  localityFailover: true,
  peerTls: "DISABLE",
};
