/** What becomes of connections that find no listener of a service, or none of its chains. */

import type { FilterChain, Listener } from "#pilot/ir/listener.ts";
import { BLACK_HOLE, type ClusterName, PASSTHROUGH } from "#pilot/ir/name.ts";
import { cached } from "#pilot/model/cached.ts";
import type { MeshConfig, OutboundPolicy } from "#pilot/model/mesh-config.ts";
import { SERVER_FIRST_PORTS } from "#pilot/model/protocol.ts";
import { DNS_CACHE } from "./catch-all-clusters.ts";
import type { Observed } from "./observation.ts";
import { ANY } from "./outbound-plan.ts";
import { unmatched as unmatchedHost } from "./outbound-routes.ts";
import { pathFields } from "./path-normalization.ts";

export const OUTBOUND_PORT = 15001;

/** What becomes of connections to what nobody declared. */
export interface Rest {
  readonly policy: OutboundPolicy;
  readonly elsewhere: ClusterName | undefined;
}

function restCluster(policy: OutboundPolicy, elsewhere: ClusterName | undefined): ClusterName {
  return policy === "REGISTRY_ONLY" ? BLACK_HOLE : (elsewhere ?? PASSTHROUGH);
}

export const unmatched = cached(
  (_mesh: MeshConfig, policy: OutboundPolicy, elsewhere: ClusterName | undefined): FilterChain => ({
    name: "PassthroughFilterChain",
    match: {},
    connection: forwardTo(restCluster(policy, elsewhere)),
    origins: [],
  }),
);

export const virtualOutbound = cached(
  (
    mesh: MeshConfig,
    policy: OutboundPolicy,
    observed: Observed,
    elsewhere: ClusterName | undefined,
  ): Listener => ({
    name: "virtualOutbound",
    address: ANY,
    port: OUTBOUND_PORT,
    additionalAddresses: [],
    direction: "outbound",
    bindToPort: true,
    useOriginalDestination: true,
    ...inspection(mesh, policy),
    filterChains: [
      {
        name: "virtualOutbound-blackhole",
        match: { destinationPort: OUTBOUND_PORT },
        connection: forwardTo(BLACK_HOLE),
        origins: [],
      },
      ...(policy === "ALLOW_ANY_DYNAMIC_DNS" ? [requestsToAnyName(mesh, policy)] : []),
      {
        name: "virtualOutbound-catchall-tcp",
        match: {},
        connection: forwardTo(restCluster(policy, elsewhere)),
        origins: [],
      },
    ],
    ...observed,
    ...pathFields(mesh),
    origins: [],
  }),
);

/** How long a connection to an undeclared place may keep silent before it counts as no request. */
const SILENCE_MS = 5000;

/**
 * Where undeclared names may be called, requests are looked for. This holds up servers that speak
 * first, those behind other listeners too, so their usual ports are left out.
 */
function inspection(
  { protocolDetectionTimeoutMs: configured }: MeshConfig,
  policy: OutboundPolicy,
): Pick<Listener, "inspectors" | "uninspectedPorts" | "inspectionTimeoutMs"> {
  return policy === "ALLOW_ANY_DYNAMIC_DNS"
    ? {
        inspectors: ["http"],
        uninspectedPorts: [...SERVER_FIRST_PORTS],
        inspectionTimeoutMs: configured === 0 ? SILENCE_MS : configured,
      }
    : { inspectors: [], uninspectedPorts: [], inspectionTimeoutMs: configured };
}

function requestsToAnyName(mesh: MeshConfig, policy: OutboundPolicy): FilterChain {
  return {
    name: "virtualOutbound-catchall-tcp-http",
    match: { applicationProtocols: ["http/1.1", "h2c"] },
    connection: {
      kind: "http",
      role: "outbound",
      statPrefix: "outbound_virtualOutbound_allow_any_dynamic_dns;",
      routes: {
        kind: "inline",
        configuration: {
          name: "allow_any_dynamic_dns",
          virtualHosts: [unmatchedHost(mesh, policy)],
          ignorePort: true,
          origins: [],
        },
      },
      dnsCache: DNS_CACHE,
    },
    origins: [],
  };
}

export function forwardTo(cluster: ClusterName): FilterChain["connection"] {
  return { kind: "tcp", statPrefix: cluster, clusters: [{ cluster, weight: 1 }] };
}
