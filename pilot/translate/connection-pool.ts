/** `connectionPool` of a policy: limits, timeouts, keep-alive and the HTTP version upstream. */

import type { HTTPSettings, TrafficPolicy } from "#crds/types/networking-v1.ts";
import {
  type Cluster,
  type ClusterHttp,
  type KeepAlive,
  type Limits,
  UNLIMITED,
  type UpstreamHttp,
} from "#pilot/ir/cluster.ts";
import type { MeshConfig } from "#pilot/model/mesh-config.ts";
import { type Protocol, isHttp, isHttp2 } from "#pilot/model/protocol.ts";
import type { ProxyType } from "#pilot/model/proxy.ts";
import { durationMs, numberField } from "./fields.ts";
import { type Reporter, error } from "./result.ts";

/** Whose cluster it is, which decides about HTTP versions. */
export interface PoolUser {
  readonly protocol: Protocol;
  readonly proxyType: ProxyType;
  readonly direction: Cluster["direction"];
}

export type PoolFields = Pick<Cluster, "connectTimeoutMs" | "limits" | "http" | "keepAlive">;

/** `path` is the policy's. */
export function connectionPool(
  policy: TrafficPolicy,
  user: PoolUser,
  mesh: MeshConfig,
  { report, path }: { readonly report: Reporter; readonly path: string },
): PoolFields {
  const { tcp, http } = policy.connectionPool ?? {};
  const pool = { report, path: `${path}.connectionPool` };
  const duration = (text: string | undefined, field: string): number | undefined =>
    durationMs(text, report, `${pool.path}.${field}`);
  const options = httpOptions(policy, duration);
  const version = httpVersion(http ?? {}, user, mesh);
  if (http?.http2KeepAlive !== undefined && http.http2KeepAlive.timeout === undefined) {
    const message = "pings need a timeout: none are sent";
    error(report, `${pool.path}.http.http2KeepAlive`, "NoTimeout", message);
  }
  const keepAlive = keepAliveOf(tcp?.tcpKeepalive, mesh, duration);
  const hasHttp = version !== undefined || Object.keys(options).length > 0;
  return {
    connectTimeoutMs: duration(tcp?.connectTimeout, "tcp.connectTimeout") ?? mesh.connectTimeoutMs,
    limits: limitsOf(policy, report, path),
    ...(hasHttp ? { http: withHttp2(version ?? "http1", options, http ?? {}, duration) } : {}),
    ...(keepAlive === undefined ? {} : { keepAlive }),
  };
}

type ReadDuration = (text: string | undefined, field: string) => number | undefined;

/** 0 means no limit, as if it weren't there. */
function limitsOf(policy: TrafficPolicy, report: Reporter, path: string): Limits {
  const { tcp, http } = policy.connectionPool ?? {};
  const budget = policy.retryBudget;
  return {
    maxConnections: tcp?.maxConnections || UNLIMITED,
    maxPendingRequests: http?.http1MaxPendingRequests || UNLIMITED,
    maxRequests: http?.http2MaxRequests || UNLIMITED,
    maxRetries: http?.maxRetries || UNLIMITED,
    ...(budget === undefined
      ? {}
      : {
          retryBudget: {
            percent: budget.percent ?? 20,
            minimumConcurrency: budget.minRetryConcurrency || 3,
            ...numberField(
              "intervalMs",
              durationMs(budget.budgetInterval, report, `${path}.retryBudget.budgetInterval`),
            ),
          },
        }),
  };
}

/** What counts for every HTTP version. */
function httpOptions(policy: TrafficPolicy, duration: ReadDuration): Omit<ClusterHttp, "version"> {
  const { tcp, http } = policy.connectionPool ?? {};
  const idle =
    duration(http?.idleTimeout, "http.idleTimeout") ??
    duration(tcp?.idleTimeout, "tcp.idleTimeout");
  const longest = duration(tcp?.maxConnectionDuration, "tcp.maxConnectionDuration");
  return {
    ...numberField("idleTimeoutMs", idle),
    ...numberField("maxConnectionDurationMs", longest),
    ...numberField("maxRequestsPerConnection", http?.maxRequestsPerConnection || undefined),
  };
}

function withHttp2(
  version: UpstreamHttp,
  options: Omit<ClusterHttp, "version">,
  http: HTTPSettings,
  duration: ReadDuration,
): ClusterHttp {
  if (version !== "http2") return { version, ...options };
  const intervalMs = duration(http.http2KeepAlive?.interval, "http.http2KeepAlive.interval");
  const timeoutMs = duration(http.http2KeepAlive?.timeout, "http.http2KeepAlive.timeout");
  return {
    version,
    ...options,
    ...numberField("maxConcurrentStreams", http.maxConcurrentStreams || undefined),
    ...(timeoutMs === undefined
      ? {}
      : { pings: { ...numberField("intervalMs", intervalMs), timeoutMs } }),
  };
}

/**
 * Where the protocol is found out per connection, upstream speaks what downstream does; a gateway
 * doesn't find out.
 */
function httpVersion(
  http: HTTPSettings,
  { protocol, proxyType, direction }: PoolUser,
  mesh: MeshConfig,
): UpstreamHttp | undefined {
  if (http.useClientProtocol === true) return "downstream";
  if (isHttp2(protocol)) return "http2";
  if (protocol === "Auto" && proxyType === "sidecar") return "downstream";
  if (direction === "inbound" || http.h2UpgradePolicy === "DO_NOT_UPGRADE") return undefined;
  if (http.h2UpgradePolicy === "UPGRADE") return "http2";
  return mesh.upgradeToHttp2 && isHttp(protocol) ? "http2" : undefined;
}

/** What the rule doesn't say is the mesh's. */
function keepAliveOf(
  spec: { probes?: number; time?: string; interval?: string } | undefined,
  mesh: MeshConfig,
  duration: ReadDuration,
): KeepAlive | undefined {
  if (spec === undefined) return mesh.tcpKeepalive;
  const seconds = (text: string | undefined, field: string): number | undefined => {
    const ms = duration(text, `tcp.tcpKeepalive.${field}`);
    return ms === undefined ? undefined : Math.floor(ms / 1000);
  };
  return {
    ...mesh.tcpKeepalive,
    ...numberField("probes", spec.probes || undefined),
    ...numberField("timeSeconds", seconds(spec.time, "time")),
    ...numberField("intervalSeconds", seconds(spec.interval, "interval")),
  };
}
