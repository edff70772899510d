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
      readonly refreshMs: number;
      readonly assignment: EndpointAssignment;
    }
  /** The host that each request names, resolved when it comes; `cache` names the answers' memory. */
  | {
      readonly kind: "dns-on-request";
      readonly cache: string;
      /** TLS does without some check of the server's name, or there is none at all. */
      readonly nameUnverified: boolean;
    }
  /** Wherever the connection was going before it was redirected. */
  | {
      readonly kind: "original";
      /** The port there, if it is another than that of the connection. */
      readonly port?: number;
    }
  /** Nowhere: every connection fails at once. */
  | { readonly kind: "none" };

export type LoadBalancing =
  | { readonly kind: "least-request"; readonly warmup?: Warmup }
  | { readonly kind: "round-robin"; readonly warmup?: Warmup }
  | { readonly kind: "random" }
  | { readonly kind: "ring-hash"; readonly minimumRingSize?: number }
  | { readonly kind: "maglev"; readonly tableSize?: number }
  /** The discovery kind decides (`original`). */
  | { readonly kind: "provided" };

/** What localities of endpoints mean beside their priorities. */
export type LocalityBalancing =
  /** Each gets its share of the traffic by its weight. */
  | { readonly kind: "weighted" }
  /** The client's own zone first, as long as that loads no zone more than its share. */
  | {
      readonly kind: "zone-aware";
      readonly enabled: boolean;
      readonly minimumClusterSize?: number;
    };

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
  /** Retries are limited by a share of the active requests, instead of by `maxRetries`. */
  readonly retryBudget?: RetryBudget;
}

export interface RetryBudget {
  readonly percent: number;
  readonly minimumConcurrency: number;
  readonly intervalMs?: number;
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
  /** These count as failures, instead of 5xx. */
  readonly httpErrorCodes?: readonly number[];
}

/** What HTTP version goes upstream. */
export type UpstreamHttp = "http1" | "http2" | "downstream" | "upgrade-to-http2";

export interface ClusterHttp {
  readonly version: UpstreamHttp;
  readonly idleTimeoutMs?: number;
  readonly maxRequestsPerConnection?: number;
  readonly maxConnectionDurationMs?: number;
  readonly maxConcurrentStreams?: number;
  /** HTTP/2 pings. */
  readonly pings?: { readonly intervalMs?: number; readonly timeoutMs: number };
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
  readonly localities?: LocalityBalancing;
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
  /** Connections begin with a header that names the client's address. */
  readonly proxyProtocol?: "V1" | "V2";
  /** Connections are made from here, so that they aren't redirected again. */
  readonly sourceAddress?: string;
  /** The services and the subset that stand behind it, for logs and tools. */
  readonly services: readonly {
    readonly host: string;
    readonly name: string;
    readonly namespace: string;
  }[];
  readonly subset?: string;
  /** Name in metrics, where it isn't the cluster's own. */
  readonly statName?: string;
  /** Only proxies that ask for it get it. */
  readonly onDemand?: true;
  /** Outside of the mesh. */
  readonly external?: boolean;
  readonly origins: readonly Origin[];
}
