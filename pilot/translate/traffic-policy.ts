/** A TrafficPolicy as properties of a cluster. */

import type {
  ClientTLSSettings,
  ConnectionPoolSettings,
  LoadBalancerSettings,
  OutlierDetection as OutlierSpec,
  TrafficPolicy,
} from "#crds/types/networking-v1.ts";
import {
  type Cluster,
  type ClusterHttp,
  type KeepAlive,
  type LoadBalancing,
  type OutlierDetection,
  UNLIMITED,
  type Warmup,
} from "#pilot/ir/cluster.ts";
import type { HashPolicy } from "#pilot/ir/route.ts";
import type { ClientTls } from "#pilot/ir/tls.ts";
import type { MeshConfig } from "#pilot/model/mesh-config.ts";
import { type Protocol, isHttp2 } from "#pilot/model/protocol.ts";
import { durationMs } from "./fields.ts";
import { type Reporter, warn } from "./result.ts";

/** What a policy decides about a cluster. */
export type PolicyFields = Pick<
  Cluster,
  | "loadBalancing"
  | "connectTimeoutMs"
  | "limits"
  | "outlierDetection"
  | "panicThresholdPercent"
  | "http"
  | "keepAlive"
  | "maxConnectionDurationMs"
>;

/** Where a policy is written, for problems. */
export interface PolicyPlace {
  readonly report: Reporter;
  readonly path: string;
}

/** Fields of a policy that change nothing yet; their authors are told. */
const UNUSED_FIELDS = ["tunnel", "proxyProtocol", "retryBudget"] as const;

/** A policy's fields over the mesh's defaults. */
export function applyPolicy(
  policy: TrafficPolicy,
  protocol: Protocol,
  mesh: MeshConfig,
  place: PolicyPlace,
): PolicyFields {
  const { report, path } = place;
  const pool = policy.connectionPool ?? {};
  for (const field of UNUSED_FIELDS) {
    if (policy[field] !== undefined) {
      warn(report, `${path}.${field}`, "Unsupported", `${field} has no effect in this version`);
    }
  }
  const connectTimeoutMs = durationMs(
    pool.tcp?.connectTimeout,
    report,
    `${path}.connectionPool.tcp.connectTimeout`,
  );
  const maxConnectionDurationMs = durationMs(
    pool.tcp?.maxConnectionDuration,
    report,
    `${path}.connectionPool.tcp.maxConnectionDuration`,
  );
  const http = httpOf(pool, protocol, place);
  const keepAlive = keepAliveOf(pool, mesh, place);
  return {
    loadBalancing: loadBalancingOf(policy.loadBalancer, place),
    connectTimeoutMs: connectTimeoutMs ?? mesh.connectTimeoutMs,
    limits: {
      maxConnections: pool.tcp?.maxConnections ?? UNLIMITED,
      maxPendingRequests: pool.http?.http1MaxPendingRequests || UNLIMITED,
      maxRequests: pool.http?.http2MaxRequests || UNLIMITED,
      maxRetries: pool.http?.maxRetries || UNLIMITED,
    },
    panicThresholdPercent: policy.outlierDetection?.minHealthPercent ?? 0,
    ...(policy.outlierDetection === undefined
      ? {}
      : { outlierDetection: outlierOf(policy.outlierDetection, place) }),
    ...(http === undefined ? {} : { http }),
    ...(keepAlive === undefined ? {} : { keepAlive }),
    ...(maxConnectionDurationMs === undefined ? {} : { maxConnectionDurationMs }),
  };
}

function loadBalancingOf(
  spec: LoadBalancerSettings | undefined,
  place: PolicyPlace,
): LoadBalancing {
  const { report, path } = place;
  const hash = spec?.consistentHash;
  if (hash !== undefined) {
    if (hash.maglev !== undefined) {
      return hash.maglev.tableSize === undefined
        ? { kind: "maglev" }
        : { kind: "maglev", tableSize: hash.maglev.tableSize };
    }
    const minimum = hash.ringHash?.minimumRingSize ?? hash.minimumRingSize ?? 0;
    return { kind: "ring-hash", minimumRingSize: minimum === 0 ? 1024 : minimum };
  }
  const lb = `${path}.loadBalancer`;
  for (const field of ["distribute", "failover", "failoverPriority"] as const) {
    if (spec?.localityLbSetting?.[field] !== undefined) {
      const message = `${field} has no effect in this version`;
      warn(report, `${lb}.localityLbSetting.${field}`, "Unsupported", message);
    }
  }
  const warmup = warmupOf(spec, report, lb);
  const slowly = warmup === undefined ? {} : { warmup };
  switch (spec?.simple) {
    case "ROUND_ROBIN":
      return { kind: "round-robin", ...slowly };
    case "RANDOM":
      return { kind: "random" };
    case "PASSTHROUGH":
      return { kind: "provided" };
    case "LEAST_REQUEST":
    case "LEAST_CONN":
    case "UNSPECIFIED":
    case undefined:
      return { kind: "least-request", ...slowly };
  }
}

function warmupOf(
  spec: LoadBalancerSettings | undefined,
  report: Reporter,
  path: string,
): Warmup | undefined {
  const text = spec?.warmup?.duration ?? spec?.warmupDurationSecs;
  const duration = durationMs(text, report, `${path}.warmup.duration`);
  if (duration === undefined) return undefined;
  return {
    durationMs: duration,
    minimumPercent: spec?.warmup?.minimumPercent ?? 10,
    aggression: spec?.warmup?.aggression ?? 1,
  };
}

function outlierOf(spec: OutlierSpec, { report, path }: PolicyPlace): OutlierDetection {
  const at = `${path}.outlierDetection`;
  const intervalMs = durationMs(spec.interval, report, `${at}.interval`);
  const baseEjectionTimeMs = durationMs(spec.baseEjectionTime, report, `${at}.baseEjectionTime`);
  const five = spec.consecutive5xxErrors ?? spec.consecutiveErrors;
  return {
    ...(five === undefined || five === null ? {} : { consecutive5xx: five }),
    ...numberField("consecutiveGatewayErrors", spec.consecutiveGatewayErrors),
    ...numberField("consecutiveLocalOriginFailures", spec.consecutiveLocalOriginFailures),
    splitExternalLocalOriginErrors: spec.splitExternalLocalOriginErrors ?? false,
    ...(intervalMs === undefined ? {} : { intervalMs }),
    ...(baseEjectionTimeMs === undefined ? {} : { baseEjectionTimeMs }),
    ...numberField("maxEjectionPercent", spec.maxEjectionPercent || undefined),
  };
}

function numberField<K extends string>(
  name: K,
  value: number | null | undefined,
): { [field in K]?: number } {
  return (value === undefined || value === null ? {} : { [name]: value }) as { [f in K]?: number };
}

function httpOf(
  pool: ConnectionPoolSettings,
  protocol: Protocol,
  { report, path }: PolicyPlace,
): ClusterHttp | undefined {
  const spec = pool.http ?? {};
  const idleTimeoutMs = durationMs(
    spec.idleTimeout,
    report,
    `${path}.connectionPool.http.idleTimeout`,
  );
  const version = httpVersion(spec, protocol);
  const options = {
    ...(idleTimeoutMs === undefined ? {} : { idleTimeoutMs }),
    ...numberField("maxRequestsPerConnection", spec.maxRequestsPerConnection || undefined),
    ...numberField("maxConcurrentStreams", spec.maxConcurrentStreams || undefined),
  };
  if (version === undefined && Object.keys(options).length === 0) return undefined;
  return { version: version ?? "http1", ...options };
}

function httpVersion(
  spec: NonNullable<ConnectionPoolSettings["http"]>,
  protocol: Protocol,
): ClusterHttp["version"] | undefined {
  if (isHttp2(protocol)) return "http2";
  if (spec.useClientProtocol === true || protocol === "Auto") return "downstream";
  if (spec.h2UpgradePolicy === "UPGRADE" && protocol === "HTTP") return "http2";
  return undefined;
}

function keepAliveOf(
  pool: ConnectionPoolSettings,
  mesh: MeshConfig,
  { report, path }: PolicyPlace,
): KeepAlive | undefined {
  const spec = pool.tcp?.tcpKeepalive;
  if (spec === undefined) return mesh.tcpKeepalive;
  const seconds = (text: string | undefined, field: string): number | undefined => {
    const ms = durationMs(text, report, `${path}.connectionPool.tcp.tcpKeepalive.${field}`);
    return ms === undefined ? undefined : Math.round(ms / 1000);
  };
  return {
    ...numberField("probes", spec.probes),
    ...numberField("timeSeconds", seconds(spec.time, "time")),
    ...numberField("intervalSeconds", seconds(spec.interval, "interval")),
  };
}

/** Client TLS as it is written; undefined for plain text. */
export function clientTls(
  spec: ClientTLSSettings,
  defaultServerName: string,
): ClientTls | undefined {
  if (spec.mode === undefined || spec.mode === "DISABLE" || spec.mode === "ISTIO_MUTUAL") {
    return undefined;
  }
  const named = spec.credentialName ?? "";
  const trust: ClientTls["trust"] =
    spec.insecureSkipVerify === true
      ? undefined
      : named !== ""
        ? { kind: "named", name: `kubernetes://${named}-cacert` }
        : spec.caCertificates === undefined || spec.caCertificates === ""
          ? { kind: "system" }
          : { kind: "file", path: spec.caCertificates };
  const credential: ClientTls["credential"] =
    spec.mode !== "MUTUAL"
      ? undefined
      : named !== ""
        ? { kind: "named", name: `kubernetes://${named}` }
        : {
            kind: "files",
            certificate: spec.clientCertificate ?? "",
            privateKey: spec.privateKey ?? "",
          };
  return {
    ...(credential === undefined ? {} : { credential }),
    ...(trust === undefined ? {} : { trust }),
    serverName: spec.sni ?? defaultServerName,
    autoServerName: (spec.sni ?? "") === "",
    subjectAltNames: spec.subjectAltNames ?? [],
    alpn: [],
  };
}

/** How requests are hashed for a consistent load balancer; empty for others. */
export function hashPolicies(policy: TrafficPolicy, report: Reporter): HashPolicy[] {
  const spec = policy.loadBalancer?.consistentHash;
  if (spec === undefined) return [];
  if (spec.httpHeaderName !== undefined && spec.httpHeaderName !== "") {
    return [{ kind: "header", name: spec.httpHeaderName.toLowerCase() }];
  }
  if (spec.httpCookie !== undefined) {
    const ttlMs = durationMs(spec.httpCookie.ttl, report, "consistentHash.httpCookie.ttl");
    return [
      {
        kind: "cookie",
        name: spec.httpCookie.name,
        ...(spec.httpCookie.path === undefined ? {} : { path: spec.httpCookie.path }),
        ...(ttlMs === undefined ? {} : { ttlMs }),
      },
    ];
  }
  if (spec.useSourceIp === true) return [{ kind: "source-address" }];
  if (spec.httpQueryParameterName !== undefined && spec.httpQueryParameterName !== "") {
    return [{ kind: "query", name: spec.httpQueryParameterName }];
  }
  return [];
}
