/** A destination with its policies. */

import type { EndpointAssignment } from "./endpoint.ts";
import type { ClusterName } from "./name.ts";
import type { Origin } from "./origin.ts";
import type { ClientTls } from "./tls.ts";

/** How a cluster's endpoints are known. */
export type Discovery =
  /** Told by the discovery server under the cluster's name. */
  | { readonly kind: "discovered" }
  | { readonly kind: "static"; readonly assignment: EndpointAssignment }
  | {
      readonly kind: "dns";
      readonly answers: "all" | "first";
      readonly assignment: EndpointAssignment;
    }
  /** Wherever the connection was going before it was redirected. */
  | { readonly kind: "original" }
  /** Nowhere: every connection fails at once. */
  | { readonly kind: "none" };

export type LoadBalancing =
  | { readonly kind: "least-request"; readonly warmup?: Warmup }
  | { readonly kind: "round-robin"; readonly warmup?: Warmup }
  | { readonly kind: "random" }
  | { readonly kind: "ring-hash"; readonly minimumRingSize: number }
  | { readonly kind: "maglev"; readonly tableSize?: number }
  /** The discovery kind decides (`original`). */
  | { readonly kind: "provided" };

export interface Warmup {
  readonly durationMs: number;
  readonly minimumPercent?: number;
  readonly aggression?: number;
}

/** Circuit breakers. */
export interface Limits {
  readonly maxConnections: number;
  readonly maxPendingRequests: number;
  readonly maxRequests: number;
  readonly maxRetries: number;
}

/** Where nothing is configured, nothing is limited (Istio's default). */
export const UNLIMITED = 4294967295;

export interface OutlierDetection {
  readonly consecutive5xx?: number;
  readonly consecutiveGatewayErrors?: number;
  readonly consecutiveLocalOriginFailures?: number;
  readonly splitExternalLocalOriginErrors: boolean;
  readonly intervalMs?: number;
  readonly baseEjectionTimeMs?: number;
  readonly maxEjectionPercent?: number;
}

/** What HTTP version goes upstream. */
export type UpstreamHttp = "http1" | "http2" | "downstream" | "upgrade-to-http2";

export interface ClusterHttp {
  readonly version: UpstreamHttp;
  readonly idleTimeoutMs?: number;
  readonly maxRequestsPerConnection?: number;
  readonly maxConcurrentStreams?: number;
}

export interface KeepAlive {
  readonly probes?: number;
  readonly timeSeconds?: number;
  readonly intervalSeconds?: number;
}

export interface Cluster {
  readonly name: ClusterName;
  readonly direction: "outbound" | "inbound";
  readonly discovery: Discovery;
  readonly loadBalancing: LoadBalancing;
  readonly connectTimeoutMs: number;
  readonly limits?: Limits;
  readonly outlierDetection?: OutlierDetection;
  /** Share of healthy hosts under which all are used again; 0 never. */
  readonly panicThresholdPercent?: number;
  readonly http?: ClusterHttp;
  readonly tls?: ClientTls;
  /** Use mutual TLS of the mesh with endpoints that accept it. */
  readonly meshTls?: ClientTls;
  readonly keepAlive?: KeepAlive;
  readonly maxConnectionDurationMs?: number;
  /** Connections are made from here, so that they aren't redirected again. */
  readonly sourceAddress?: string;
  /** The services and the subset that stand behind it, for logs and tools. */
  readonly services: readonly {
    readonly host: string;
    readonly name: string;
    readonly namespace: string;
  }[];
  readonly subset?: string;
  readonly origins: readonly Origin[];
}
