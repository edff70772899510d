/**
 * The IR for gRPC clients and servers that do without a proxy (gRFC A27, A28, A36, and Istio's "gRPC
 * Proxyless Service Mesh"): one listener a name and port, one route configuration a destination, and
 * only what their parsers take, for they refuse a resource with anything else in it.
 */

import { isIP } from "node:net";
import { any, duration, extension, FROM_ADS, nonEmpty, set, socketAddress } from "./any.ts";
import type { EnvoyResource } from "./build.ts";
import { buildAssignment } from "./endpoint.ts";
import { faultOfRoute } from "./filters/fault.ts";
import { perNode } from "./per-node.ts";
import { buildMatch } from "./route.ts";
import { type Cluster, UNLIMITED } from "#pilot/ir/cluster.ts";
import type { EndpointAssignment } from "#pilot/ir/endpoint.ts";
import { outboundCluster } from "#pilot/ir/name.ts";
import { type Origin, mergeOrigins } from "#pilot/ir/origin.ts";
import type { ForwardAction, Route, VirtualHost } from "#pilot/ir/route.ts";
import type { ScopeIr } from "#pilot/ir/scope-ir.ts";

const HTTP_MANAGER =
  "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
const ROUTER = extension(
  "envoy.filters.http.router",
  "envoy.extensions.filters.http.router.v3.Router",
);
const FAULT = extension(
  "envoy.filters.http.fault",
  "envoy.extensions.filters.http.fault.v3.HTTPFault",
);

/** What a server listens for: `PREFIX` and its own address and port. */
const SERVER_PREFIX = "xds.istio.io/grpc/lds/inbound/";
const SERVER_ADDRESSES = ["0.0.0.0", "[::]"];

/** Listeners of destinations under each of their names, and of the workload's own ports. */
export function buildGrpcListeners(ir: ScopeIr): EnvoyResource[] {
  const clients = ir.routes.flatMap((route) =>
    route.virtualHosts.flatMap((host) => clientListeners(host)),
  );
  const ports = new Map<number, readonly Origin[]>();
  for (const { direction, filterChains } of ir.listeners) {
    if (direction !== "inbound") continue;
    for (const { match, origins } of filterChains) {
      if (match.destinationPort === undefined || origins.length === 0) continue;
      const known = ports.get(match.destinationPort) ?? [];
      ports.set(match.destinationPort, mergeOrigins(known, origins));
    }
  }
  const servers = [...ports].flatMap(([port, origins]) =>
    SERVER_ADDRESSES.map((address) => serverListener(address, port, origins)),
  );
  return [...clients, ...servers];
}

/** One `outbound|PORT||HOST` a destination, with its virtual host alone. */
export function buildGrpcRoutes(ir: ScopeIr): EnvoyResource[] {
  return ir.routes.flatMap((route) => route.virtualHosts.flatMap((host) => hostRoutes(host)));
}

export function buildGrpcClusters(ir: ScopeIr): EnvoyResource[] {
  return ir.clusters.flatMap((cluster) => grpcCluster(cluster));
}

export function buildGrpcEndpoints(ir: ScopeIr): EnvoyResource[] {
  return ir.endpoints.map((assignment) => grpcEndpoints(assignment));
}

/** `host:port` of a virtual host; undefined for those that stand for no destination. */
function destinationOf({ name }: VirtualHost): { host: string; port: number } | undefined {
  const match = /^([a-z0-9.-]+):(\d{1,5})$/i.exec(name);
  return match === null ? undefined : { host: match[1] ?? "", port: Number(match[2]) };
}

const clientListeners = perNode((host: VirtualHost): EnvoyResource[] => {
  const destination = destinationOf(host);
  if (destination === undefined) return [];
  const name = outboundCluster(destination.host, destination.port);
  const origins = mergeOrigins(host.origins);
  const apiListener = any(HTTP_MANAGER, {
    rds: { configSource: FROM_ADS, routeConfigName: name },
    httpFilters: [FAULT, ROUTER],
  });
  return namesOf(host, destination).map((domain) => ({
    type: "listener",
    name: domain,
    message: { name: domain, apiListener: { apiListener } },
    origins,
  }));
});

/** All with the port; no client asks for an address by this way. */
function namesOf({ domains }: VirtualHost, { port }: { port: number }): string[] {
  const hosts = domains.map((domain) => domain.replace(/:\d+$/, "").replace(/\.$/, ""));
  const names = hosts.filter((host) => isIP(host) === 0 && /^[a-z0-9.-]+$/i.test(host));
  return [...new Set(names)].map((host) => `${host}:${port}`);
}

const hostRoutes = perNode((host: VirtualHost): EnvoyResource[] => {
  const destination = destinationOf(host);
  if (destination === undefined) return [];
  const name = outboundCluster(destination.host, destination.port);
  // Clients take their authority with or without the port, and know no option to ignore it.
  const names = namesOf(host, destination);
  const domains = [...names, ...names.map((one) => one.replace(/:\d+$/, ""))];
  const routes = host.routes.filter(({ match }) => match.query.length === 0).map(grpcRoute);
  return [
    {
      type: "route",
      name,
      message: { name, virtualHosts: [{ name: host.name, domains, ...nonEmpty({ routes }) }] },
      origins: mergeOrigins(host.origins, ...host.routes.map((route) => route.origins)),
    },
  ];
});

/** Where a client can't do what a route says (redirect, respond), calls that it matches fail. */
function grpcRoute({ name, match, action, fault }: Route): object {
  return {
    ...(name === "" ? {} : { name }),
    match: buildMatch(match),
    ...(action.kind === "forward"
      ? { route: forward(action) }
      : { directResponse: { status: 501 } }),
    ...(fault === undefined ? {} : { typedPerFilterConfig: faultOfRoute(fault) }),
  };
}

function forward({ clusters, timeoutMs, retry, hash }: ForwardAction): object {
  const [single, ...others] = clusters;
  const hashPolicy = hash.flatMap((policy) =>
    policy.kind === "header" ? [{ header: { headerName: policy.name } }] : [],
  );
  return {
    ...(single !== undefined && others.length === 0
      ? { cluster: single.cluster }
      : {
          weightedClusters: {
            clusters: clusters.map(({ cluster, weight }) => ({ name: cluster, weight })),
          },
        }),
    ...(timeoutMs > 0 ? { maxStreamDuration: { maxStreamDuration: duration(timeoutMs) } } : {}),
    ...(retry === undefined || retry.attempts < 1
      ? {}
      : { retryPolicy: { retryOn: retry.retryOn, numRetries: retry.attempts } }),
    ...nonEmpty({ hashPolicy }),
  };
}

/**
 * Endpoints by discovery, or a single name to resolve. Other policies than consistent hashing become
 * round robin: clients don't have them, or only as experiments.
 */
const grpcCluster = perNode((cluster: Cluster): EnvoyResource[] => {
  const { name, direction, discovery, loadBalancing, limits, origins } = cluster;
  const found = direction === "outbound" ? grpcDiscovery(cluster) : undefined;
  if (found === undefined) return [];
  const message = {
    name,
    ...found,
    ...(loadBalancing.kind === "ring-hash"
      ? {
          lbPolicy: "RING_HASH",
          ringHashLbConfig: { minimumRingSize: String(loadBalancing.minimumRingSize) },
        }
      : {}),
    ...(limits === undefined || limits.maxRequests === UNLIMITED
      ? {}
      : { circuitBreakers: { thresholds: [{ maxRequests: limits.maxRequests }] } }),
    ...(cluster.tls === undefined ? {} : { transportSocket: providedTls(cluster) }),
  };
  return discovery.kind === "none" ? [] : [{ type: "cluster", name, message, origins }];
});

function grpcDiscovery({ name, discovery }: Cluster): object | undefined {
  if (discovery.kind === "discovered") {
    return { type: "EDS", edsClusterConfig: { edsConfig: FROM_ADS, serviceName: name } };
  }
  if (discovery.kind !== "dns") return undefined;
  const [only, ...others] = discovery.assignment.localities.flatMap(({ endpoints }) => endpoints);
  if (only === undefined || others.length > 0) return undefined;
  const address = socketAddress(only.address, only.port);
  const endpoints = [{ lbEndpoints: [{ endpoint: { address } }] }];
  return { type: "LOGICAL_DNS", loadAssignment: { clusterName: name, endpoints } };
}

/** Certificates come by the client's own provider `default`, as Istio's bootstrap sets it up. */
function providedTls({ tls }: Cluster): object {
  const provider = (certificateName: string): object => ({
    instanceName: "default",
    certificateName,
  });
  const names = (tls?.subjectAltNames ?? []).map((exact) => ({ exact }));
  return extension(
    "envoy.transport_sockets.tls",
    "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
    {
      commonTlsContext: set({
        tlsCertificateProviderInstance:
          tls?.credential === undefined ? undefined : provider("default"),
        validationContext: {
          caCertificateProviderInstance: provider("ROOTCA"),
          ...nonEmpty({ matchSubjectAltNames: names }),
        },
      }),
    },
  );
}

/** Localities without a weight are none to gRPC, nor are endpoints without an IP address. */
const grpcEndpoints = perNode((assignment: EndpointAssignment): EnvoyResource => {
  const localities = assignment.localities.flatMap((locality) => {
    const endpoints = locality.endpoints.filter(({ address }) => isIP(address) !== 0);
    if (endpoints.length === 0) return [];
    const sum = endpoints.reduce((total, { weight }) => total + Math.max(1, weight), 0);
    return [{ ...locality, endpoints, weight: locality.weight > 0 ? locality.weight : sum }];
  });
  // Priorities must have no gaps.
  const priorities = [...new Set(localities.map(({ priority }) => priority))].toSorted(
    (left, right) => left - right,
  );
  const ranked = localities.map((one) => ({ ...one, priority: priorities.indexOf(one.priority) }));
  return {
    type: "endpoint",
    name: assignment.cluster,
    message: buildAssignment({ ...assignment, localities: ranked }),
    origins: assignment.origins,
  };
});

/** A server takes what it handles itself; without certificates, as it has no identity here. */
function serverListener(address: string, port: number, origins: readonly Origin[]): EnvoyResource {
  const name = `${SERVER_PREFIX}${address}:${port}`;
  const manager = any(HTTP_MANAGER, {
    routeConfig: {
      name: "inbound",
      virtualHosts: [
        {
          name: "inbound",
          domains: ["*"],
          routes: [{ match: { prefix: "/" }, nonForwardingAction: {} }],
        },
      ],
    },
    httpFilters: [ROUTER],
  });
  const filterChain = {
    name: "inbound-plaintext",
    filters: [{ name: "inbound-hcm", typedConfig: manager }],
  };
  const message = {
    name,
    address: socketAddress(address.replace(/^\[(.*)\]$/, "$1"), port),
    filterChains: [filterChain],
  };
  return { type: "listener", name, message, origins };
}
