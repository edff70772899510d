/** envoy.config.endpoint.v3.ClusterLoadAssignment. */

import type { Endpoint, EndpointAssignment, LocalityEndpoints } from "#pilot/ir/endpoint.ts";
import { nonEmpty, set, socketAddress } from "./any.ts";

export function buildAssignment(assignment: EndpointAssignment): object {
  return {
    clusterName: assignment.cluster,
    ...nonEmpty({ endpoints: assignment.localities.map(locality) }),
  };
}

function locality(place: LocalityEndpoints): object {
  const { region, zone, subZone } = place;
  return {
    locality: set({
      region: region === "" ? undefined : region,
      zone: zone === "" ? undefined : zone,
      subZone: subZone === "" ? undefined : subZone,
    }),
    lbEndpoints: place.endpoints.map(lbEndpoint),
    ...(place.weight > 0 ? { loadBalancingWeight: place.weight } : {}),
    ...(place.priority === 0 ? {} : { priority: place.priority }),
  };
}

function lbEndpoint(endpoint: Endpoint): object {
  const metadata = {
    ...(endpoint.meshTls ? { "envoy.transport_socket_match": { tlsMode: "istio" } } : {}),
    ...(endpoint.workload === "" ? {} : { istio: { workload: endpoint.workload } }),
  };
  return {
    endpoint: { address: socketAddress(endpoint.address, endpoint.port) },
    ...(endpoint.health === "healthy" ? {} : { healthStatus: healthStatus(endpoint.health) }),
    ...(Object.keys(metadata).length === 0 ? {} : { metadata: { filterMetadata: metadata } }),
    loadBalancingWeight: Math.max(1, endpoint.weight),
  };
}

function healthStatus(health: Exclude<Endpoint["health"], "healthy">): string {
  return health === "draining" ? "DRAINING" : "UNHEALTHY";
}
