/**
 * Gateways between networks (servers with AUTO_PASSTHROUGH): what a client of another network means
 * is the server name of its mesh TLS, which names a cluster and is forwarded there unopened.
 */

import type { Cluster } from "#pilot/ir/cluster.ts";
import type { EndpointAssignment } from "#pilot/ir/endpoint.ts";
import type { FilterChain } from "#pilot/ir/listener.ts";
import { parseOutboundCluster, sniCluster } from "#pilot/ir/name.ts";
import { covers } from "#pilot/model/host.ts";
import type { MeshConfig } from "#pilot/model/mesh-config.ts";
import type { Service } from "#pilot/model/object.ts";
import type { PushContext } from "#pilot/model/push-context.ts";
import type { WorkloadScope } from "#pilot/model/scope.ts";
import { visibleServices } from "#pilot/model/visible.ts";
import { ruleFor } from "./destination-rule.ts";
import type { PlannedServer } from "./gateway-plan.ts";
import { originOf } from "./result.ts";

/** What clients offer when they mean the mesh's own TLS; anything else is not forwarded. */
const MESH_ALPN = ["istio", "istio-peer-exchange", "istio-http/1.0", "istio-http/1.1", "istio-h2"];

/** Clusters for forwarded TLS beside those of a service in the mesh: the same without a TLS of its own. */
export function passthroughClusters(service: Service, clusters: readonly Cluster[]): Cluster[] {
  if (service.external) return [];
  return clusters.flatMap((cluster): Cluster[] => {
    const parsed = parseOutboundCluster(cluster.name);
    if (parsed === undefined) return [];
    const name = sniCluster(parsed.host, parsed.port, parsed.subset);
    const { tls: _tls, meshTls: _meshTls, discovery, ...rest } = cluster;
    if (discovery.kind !== "static" && discovery.kind !== "dns") {
      return [{ ...rest, name, discovery }];
    }
    const assignment = { ...discovery.assignment, cluster: name };
    return [{ ...rest, name, discovery: { ...discovery, assignment } }];
  });
}

/** Their endpoints: those only that accept the mesh's TLS. */
export function passthroughEndpoints(
  service: Service,
  assignments: readonly EndpointAssignment[],
  mesh: MeshConfig,
): EndpointAssignment[] {
  if (service.external) return [];
  return assignments.flatMap((assignment) => {
    const parsed = parseOutboundCluster(assignment.cluster);
    if (parsed === undefined) return [];
    const localities = assignment.localities.flatMap((locality) => {
      const endpoints = locality.endpoints.filter(
        (endpoint) => endpoint.meshTls && mesh.peerTls !== "DISABLE",
      );
      const weight = endpoints.reduce((sum, endpoint) => sum + endpoint.weight, 0);
      return endpoints.length === 0 ? [] : [{ ...locality, endpoints, weight }];
    });
    const cluster = sniCluster(parsed.host, parsed.port, parsed.subset);
    return [{ ...assignment, cluster, localities: withoutGaps(localities) }];
  });
}

/** Envoy wants priorities without gaps. */
function withoutGaps<T extends { readonly priority: number }>(localities: readonly T[]): T[] {
  const used = [...new Set(localities.map((one) => one.priority))].toSorted((a, b) => a - b);
  return localities.map((one) => ({ ...one, priority: used.indexOf(one.priority) }));
}

/** A chain for each cluster of the services in the mesh that the server's hosts cover. */
export function passthroughChains(
  context: PushContext,
  scope: WorkloadScope,
  { gateway, path, hosts }: PlannedServer,
): FilterChain[] {
  const services = visibleServices(context, scope).list.filter(
    (service) => !service.external && hosts.some((one) => covers(one.host, service.host)),
  );
  return services.flatMap((service) => {
    const rule = ruleFor(context, scope, service);
    return service.ports
      .filter((port) => port.protocol !== "UDP")
      .flatMap((port) =>
        [undefined, ...(rule?.subsets ?? [])].map((subset): FilterChain => {
          const cluster = sniCluster(service.host, port.number, subset?.subset.name);
          return {
            match: { serverNames: [cluster], applicationProtocols: MESH_ALPN },
            connection: { kind: "tcp", statPrefix: cluster, clusters: [{ cluster, weight: 1 }] },
            origins: [originOf(gateway.key, path), originOf(service.source)],
          };
        }),
      );
  });
}
