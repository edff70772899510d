/**
 * The IR as Envoy's resources.
 *
 * Messages are in protobuf's JSON mapping with lowerCamelCase names, ready for an encoder: a Duration
 * is `"1.500s"`, wrappers (UInt32Value, …) are bare values, enums are names, bytes are base64, a Struct
 * is the plain object, and an Any is the message with `"@type": "type.googleapis.com/<full name>"`
 * beside its fields. Messages are immutable, and an unchanged IR node gives the same resource object
 * again: encoders may cache bytes by its identity.
 */

import type { Origin } from "#pilot/ir/origin.ts";
import type { ScopeIr } from "#pilot/ir/scope-ir.ts";

export type EnvoyResourceType =
  "cluster" | "listener" | "route" | "endpoint" | "secret" | "virtual-host";

export interface EnvoyResource {
  readonly type: EnvoyResourceType;
  /** As Envoy subscribes to it; of a virtual host `routeConfiguration/virtualHost`. */
  readonly name: string;
  readonly message: object;
  readonly origins: readonly Origin[];
}

/** How virtual hosts travel: inside their RouteConfiguration, or by themselves (VHDS, delta only). */
export type VirtualHostDelivery = "inline" | "discovered";

export function buildResources(
  ir: ScopeIr,
  virtualHosts: VirtualHostDelivery = "inline",
): EnvoyResource[] {
  return [
    ...buildClusters(ir),
    ...buildEndpoints(ir),
    ...buildListeners(ir),
    ...buildRoutes(ir, virtualHosts),
  ];
}

/** One `cluster` a Cluster. */
export function buildClusters(ir: ScopeIr): EnvoyResource[] {
  void ir.clusters;
  return [];
}

/** One `endpoint` (ClusterLoadAssignment) a discovered cluster. */
export function buildEndpoints(ir: ScopeIr): EnvoyResource[] {
  void ir.endpoints;
  return [];
}

export function buildListeners(ir: ScopeIr): EnvoyResource[] {
  void ir.listeners;
  return [];
}

/** One `route` a RouteConfiguration and, when they travel alone, one `virtual-host` each. */
export function buildRoutes(ir: ScopeIr, virtualHosts: VirtualHostDelivery): EnvoyResource[] {
  void [ir.routes, virtualHosts];
  return [];
}
