/**
 * The IR as Envoy's resources. Messages are in protobuf's JSON mapping with lowerCamelCase names,
 * ready for an encoder: a Duration is `"1.500s"`, wrappers (UInt32Value, …) are bare values, enums
 * are names, bytes are base64, a Struct is the plain object, and an Any is the message with
 * `"@type": "type.googleapis.com/<full name>"` beside its fields. Messages are immutable, and an
 * unchanged IR node gives the same resource object again: encoders may cache bytes by its identity.
 */

import type { Cluster } from "#pilot/ir/cluster.ts";
import type { EndpointAssignment } from "#pilot/ir/endpoint.ts";
import type { Listener } from "#pilot/ir/listener.ts";
import { type Origin, mergeOrigins } from "#pilot/ir/origin.ts";
import type { RouteConfiguration, VirtualHost } from "#pilot/ir/route.ts";
import type { Secret } from "#pilot/ir/secret.ts";
import type { ScopeIr } from "#pilot/ir/scope-ir.ts";
import { buildCluster } from "./cluster.ts";
import { buildAssignment } from "./endpoint.ts";
import { buildListener } from "./listener.ts";
import { perNode } from "./per-node.ts";
import { buildSecret } from "./secret.ts";
import { buildRouteConfiguration, buildVhdsConfiguration, buildVirtualHost } from "./route.ts";

export type EnvoyResourceType =
  "cluster" | "listener" | "route" | "endpoint" | "secret" | "virtual-host" | "extension";

export interface EnvoyResource {
  readonly type: EnvoyResourceType;
  /** As Envoy subscribes to it; of a virtual host `routeConfiguration/virtualHost`. */
  readonly name: string;
  readonly message: object;
  readonly origins: readonly Origin[];
  /** It goes to proxies that ask for it by name. */
  readonly onDemand?: true;
  /** Of a patched resource: what it was before, and whose patches changed it. */
  readonly unpatched?: { readonly resource: EnvoyResource; readonly patchedBy: readonly Origin[] };
}

/**
 * How virtual hosts travel: inside their RouteConfiguration, or by themselves (VHDS, delta only).
 */
export type VirtualHostDelivery = "inline" | "discovered";

/** `grpc`: in the form that gRPC libraries take (`grpc.ts`). */
export type ClientForm = VirtualHostDelivery | "grpc";

export function buildResources(
  ir: ScopeIr,
  virtualHosts: VirtualHostDelivery = "inline",
): EnvoyResource[] {
  return [
    ...buildClusters(ir),
    ...buildEndpoints(ir),
    ...buildListeners(ir),
    ...buildRoutes(ir, virtualHosts),
    ...buildSecrets(ir),
  ];
}

/** One `cluster` a Cluster. */
export function buildClusters(ir: ScopeIr): EnvoyResource[] {
  return ir.clusters.map((cluster) => clusterResource(cluster));
}

/** One `endpoint` (ClusterLoadAssignment) a discovered cluster. */
export function buildEndpoints(ir: ScopeIr): EnvoyResource[] {
  return ir.endpoints.map((assignment) => endpointResource(assignment));
}

export function buildListeners(ir: ScopeIr): EnvoyResource[] {
  return ir.listeners.map((listener) => listenerResource(listener));
}

export function buildSecrets(ir: ScopeIr): EnvoyResource[] {
  return ir.secrets.map((secret) => secretResource(secret));
}

/** One `route` a RouteConfiguration and, when they travel alone, one `virtual-host` each. */
export function buildRoutes(
  ir: ScopeIr,
  virtualHosts: VirtualHostDelivery = "inline",
): EnvoyResource[] {
  if (virtualHosts === "inline") return ir.routes.map((route) => inlineRoutes(route));
  return ir.routes.flatMap((route) => [
    routeResource(route),
    ...route.virtualHosts.map((host) => virtualHostResource(host, route.name)),
  ]);
}

export const clusterResource = perNode((cluster: Cluster): EnvoyResource => ({
  type: "cluster",
  name: cluster.name,
  message: buildCluster(cluster),
  origins: cluster.origins,
  ...(cluster.onDemand === undefined ? {} : { onDemand: true as const }),
}));

export const endpointResource = perNode((assignment: EndpointAssignment): EnvoyResource => ({
  type: "endpoint",
  name: assignment.cluster,
  message: buildAssignment(assignment),
  origins: assignment.origins,
}));

export const listenerResource = perNode((listener: Listener): EnvoyResource => ({
  type: "listener",
  name: listener.name,
  message: buildListener(listener),
  origins: mergeOrigins(listener.origins, ...listener.filterChains.map((one) => one.origins)),
}));

export const secretResource = perNode((secret: Secret): EnvoyResource => ({
  type: "secret",
  name: secret.name,
  message: buildSecret(secret),
  origins: secret.origins,
}));

/** Messages of virtual hosts are shared by all configurations and scopes that hold the host. */
const inlineHost = perNode((host: VirtualHost): object => buildVirtualHost(host, "outbound"));

const inlineRoutes = perNode((route: RouteConfiguration): EnvoyResource => ({
  type: "route",
  name: route.name,
  message: buildRouteConfiguration(
    route,
    "outbound",
    route.virtualHosts.map((host) => inlineHost(host)),
  ),
  origins: mergeOrigins(route.origins, ...route.virtualHosts.map(originsOfHost)),
}));

export const routeResource = perNode((route: RouteConfiguration): EnvoyResource => ({
  type: "route",
  name: route.name,
  message: buildVhdsConfiguration(route),
  origins: route.origins,
}));

/** Removals only take effect where the host's own name is the resource's (Envoy 1.40). */
export const virtualHostResource = perNode((host: VirtualHost, routeName): EnvoyResource => {
  const name = `${routeName}/${host.name}`;
  return {
    type: "virtual-host",
    name,
    message: buildVirtualHost(host, "outbound", name),
    origins: originsOfHost(host),
  };
});

function originsOfHost(host: VirtualHost): Origin[] {
  return mergeOrigins(host.origins, ...host.routes.map((route) => route.origins));
}
