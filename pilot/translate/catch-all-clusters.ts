/** Clusters that stand for no service: nowhere, where a connection was going anyway, any name. */

import { type Cluster, type Discovery, type Limits, UNLIMITED } from "#pilot/ir/cluster.ts";
import { ALLOW_ANY_DNS, BLACK_HOLE, type ClusterName, PASSTHROUGH } from "#pilot/ir/name.ts";
import type { ClientTls } from "#pilot/ir/tls.ts";
import { cached } from "#pilot/model/cached.ts";
import type { MeshConfig } from "#pilot/model/mesh-config.ts";
import type { ObjectKey } from "#pilot/model/name.ts";
import { connectionPool } from "./connection-pool.ts";
import { tlsToAnyName } from "./client-tls.ts";
import { type Translated, reporter } from "./result.ts";

export const blackHole = cached((mesh: MeshConfig): Cluster => ({
  name: BLACK_HOLE,
  direction: "outbound",
  discovery: { kind: "none" },
  loadBalancing: { kind: "round-robin" },
  connectTimeoutMs: mesh.connectTimeoutMs,
  services: [],
  origins: [],
}));

/** Limited as the mesh limits connections by default. */
export const passthrough = cached((mesh: MeshConfig): Cluster => ({
  ...passthroughTo(PASSTHROUGH, mesh),
  direction: "outbound",
}));

/** Where requests for unknown hosts go that may go anywhere a name leads to. */
export const anyName = cached((mesh: MeshConfig): Translated<Cluster> => {
  const report = reporter("ConfigMap/istio-system/istio" as ObjectKey);
  const tls = tlsToAnyName(mesh, report);
  const value: Cluster = {
    ...passthroughTo(ALLOW_ANY_DNS, mesh),
    direction: "outbound",
    discovery: dnsOnRequest(tls),
    ...(tls === undefined ? {} : { tls }),
  };
  return { value, problems: report.problems };
});

/** A cluster that goes wherever the connection was going. */
export function passthroughTo(name: ClusterName, mesh: MeshConfig): Omit<Cluster, "direction"> {
  const pool = mesh.defaultConnectionPool;
  const { limits, connectTimeoutMs, keepAlive } = connectionPool(
    pool === undefined ? {} : { connectionPool: pool },
    { protocol: "TCP", proxyType: "sidecar", direction: "inbound" },
    mesh,
    { report: reporter("MeshConfig" as ObjectKey), path: "defaultTrafficPolicy" },
  );
  return {
    name,
    discovery: { kind: "original" },
    loadBalancing: { kind: "provided" },
    connectTimeoutMs,
    limits: limits ?? NO_LIMITS,
    http: { version: "downstream", idleTimeoutMs: 300_000 },
    ...(keepAlive === undefined ? {} : { keepAlive }),
    services: [],
    origins: [],
  };
}

const NO_LIMITS: Limits = {
  maxConnections: UNLIMITED,
  maxPendingRequests: UNLIMITED,
  maxRequests: UNLIMITED,
  maxRetries: UNLIMITED,
};

/**
 * One memory of answers for everything that is resolved on request: filters and clusters must share
 * one, and a listener's filter doesn't know which cluster a request will take.
 */
export const DNS_CACHE = "allow_any_dfp_dns_cache";

/** Clusters that resolve what each request asks for. */
export function dnsOnRequest(tls: ClientTls | undefined): Discovery {
  return {
    kind: "dns-on-request",
    cache: DNS_CACHE,
    nameUnverified: tls === undefined || !tls.autoServerName || !tls.autoSubjectAltName,
  };
}
