/** Where a proxy accepts connections, and what it does with them. */

import type { AccessLog, Tracing } from "./observation.ts";
import type { ClusterName } from "./name.ts";
import type { Origin } from "./origin.ts";
import type { HashPolicy, RouteConfiguration } from "./route.ts";
import type { ServerTls } from "./tls.ts";

export interface ChainMatch {
  readonly destinationPort?: number;
  /** CIDRs or single addresses. */
  readonly destinations?: readonly string[];
  readonly serverNames?: readonly string[];
  readonly transport?: "plain" | "tls";
  readonly applicationProtocols?: readonly string[];
}

/** From whose point of view requests are handled; decides forwarded headers and filters. */
export type HttpRole = "outbound" | "inbound" | "gateway";

export interface HttpConnection {
  readonly kind: "http";
  readonly role: HttpRole;
  readonly statPrefix: string;
  readonly routes:
    | { readonly kind: "discovered"; readonly name: string }
    | { readonly kind: "inline"; readonly configuration: RouteConfiguration };
  /** Hosts of requests are resolved into this memory, for clusters that resolve on request. */
  readonly dnsCache?: string;
  /** A request whose cluster isn't there waits while the proxy asks for it. */
  readonly asksForClusters?: true;
  /** Of a gateway: what stands before it. */
  readonly edge?: HttpEdge;
}

export interface HttpEdge {
  /** Proxies before this one whose X-Forwarded-For is believed. */
  readonly trustedProxies?: number;
  /** What becomes of the header x-forwarded-client-cert. */
  readonly clientCertificate?:
    "SANITIZE" | "FORWARD_ONLY" | "APPEND_FORWARD" | "SANITIZE_SET" | "ALWAYS_FORWARD_ONLY";
  readonly http10?: true;
}

export interface TcpForward {
  readonly kind: "tcp";
  readonly statPrefix: string;
  readonly clusters: readonly { readonly cluster: ClusterName; readonly weight: number }[];
  readonly idleTimeoutMs?: number;
  readonly maxConnectionDurationMs?: number;
  readonly hash?: HashPolicy;
  /** As in HttpConnection. */
  readonly asksForClusters?: true;
  /** Connections travel inside of HTTP requests for another target, `host:port`. */
  readonly tunnel?: { readonly target: string; readonly method: "CONNECT" | "POST" };
  /** The server name that a client asks for is resolved, into this memory, and called. */
  readonly byServerName?: { readonly dnsCache: string; readonly port: number };
}

export interface FilterChain {
  readonly name?: string;
  readonly match: ChainMatch;
  readonly connection: HttpConnection | TcpForward;
  readonly tls?: ServerTls;
  readonly origins: readonly Origin[];
}

/** What is looked at before a chain is chosen. */
export type Inspector = "proxy-protocol" | "original-destination" | "tls" | "http";

export interface Listener {
  readonly name: string;
  readonly address: string;
  readonly port: number;
  readonly additionalAddresses: readonly string[];
  readonly direction: "outbound" | "inbound";
  /** False: only connections that another listener hands over. */
  readonly bindToPort: boolean;
  /** Hands connections over to the listener of their original destination. */
  readonly useOriginalDestination: boolean;
  readonly inspectors: readonly Inspector[];
  /** Ports whose clients may wait for the server to speak: the http inspector is off there. */
  readonly uninspectedPorts: readonly number[];
  /** 0: as long as it takes; absent: the proxy's default, after which the connection is closed. */
  readonly inspectionTimeoutMs?: number;
  readonly filterChains: readonly FilterChain[];
  readonly defaultFilterChain?: FilterChain;
  /** What is written of each request and connection; absent: nothing. */
  readonly accessLogs?: readonly AccessLog[];
  /** Connections that found no chain are not written of. */
  readonly ignoresUnmatched?: true;
  readonly tracing?: Tracing;
  /** What is made of a request's path before routes look at it; absent: dot segments go. */
  readonly pathNormalization?: "NONE" | "MERGE_SLASHES" | "DECODE_AND_MERGE_SLASHES";
  readonly origins: readonly Origin[];
}
