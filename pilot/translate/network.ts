/**
 * Endpoints of several clusters and networks, as one class of proxies reaches them: its own network's
 * directly, the others' through their gateways (Istio, "split horizon EDS").
 */

import { isIP } from "node:net";
import type { TrafficPolicy } from "#crds/types/networking-v1.ts";
import { cached } from "#pilot/model/cached.ts";
import { covers } from "#pilot/model/host.ts";
import type { MeshConfig } from "#pilot/model/mesh-config.ts";
import { type Hostname, hostname } from "#pilot/model/name.ts";
import type {
  Endpoint,
  EndpointSet,
  NetworkGateway,
  NetworkGateways,
  Service,
} from "#pilot/model/object.ts";
import type { PushContext } from "#pilot/model/push-context.ts";
import type { OutboundScope } from "#pilot/model/scope.ts";
import { gatewaysBetweenNetworks, isIn } from "#pilot/model/vantage.ts";
import { type Member, localityText } from "./locality.ts";

/** The sets with what proxies of the scope can reach; the same sets where that is everything. */
export function setsSeenFrom(
  context: PushContext,
  scope: OutboundScope,
  service: Service,
  sets: readonly EndpointSet[],
): readonly EndpointSet[] {
  const sources = gatewaysBetweenNetworks(context);
  const severalClusters = context.indexes.remoteServices.lists.size > 0;
  const local = severalClusters && isClusterLocal(service.host, context.mesh);
  if (sources.length === 0 && !local) return sets;
  const gateways = reachableGateways(context.mesh, sources, service.resolution === "discovery");
  const only = local ? scope.cluster : undefined;
  return sets.map((set) => setSeenFrom(set, gateways, scope.network, only));
}

/**
 * Whether a host's endpoints are only for clients of their own cluster: as the mesh's settings say,
 * the most specific first; without settings, what belongs to the platform.
 */
export function isClusterLocal(host: Hostname, mesh: MeshConfig): boolean {
  const domain = mesh.clusterDomain;
  const defaults = [
    { host: `*.kube-system.svc.${domain}`, local: true },
    { host: `kubernetes.default.svc.${domain}`, local: true },
    { host: `istiod.${mesh.rootNamespace}.svc.${domain}`, local: true },
  ].filter((one) => !mesh.clusterLocalHosts.some((set) => !set.local && overrides(set.host, one)));
  const found = [...mesh.clusterLocalHosts, ...defaults]
    .filter((one) => covers(one.host, host))
    .toSorted((left, right) => specificity(right.host) - specificity(left.host))[0];
  return found?.local === true;
}

function overrides(host: string, byDefault: { readonly host: string }): boolean {
  return covers(byDefault.host, hostname(host));
}

/** Exact names before wildcards, longer wildcards before shorter ones. */
function specificity(host: string): number {
  return host.startsWith("*") ? host.length : 1000 + host.length;
}

interface Gateways {
  readonly of: (network: string, cluster: string) => readonly NetworkGateway[];
  /** Of proxies' own cluster, under which its gateways are known. */
  readonly clusterId: string;
  /** By which weights are multiplied, so that they can be shared out among gateways. */
  readonly scale: number;
}

/** Envoy resolves names only in clusters that do so for all of their endpoints. */
const reachableGateways = cached(
  (mesh: MeshConfig, sources: readonly NetworkGateways[], byAddress: boolean): Gateways => {
    const all = new Map(
      sources
        .flatMap((source) => source.gateways)
        .filter((one) => !byAddress || isIP(one.address) !== 0)
        .map((one) => [JSON.stringify([one.network, one.cluster, one.address, one.port]), one]),
    );
    const sorted = [...all].toSorted(([left], [right]) => (left < right ? -1 : 1));
    const gateways = sorted.map(([, one]) => one);
    const byNetwork = Map.groupBy(gateways, (one) => one.network);
    const byCluster = Map.groupBy(gateways, (one) => `${one.network}/${one.cluster ?? ""}`);
    const counts = [...byNetwork.values(), ...byCluster.values()].map((list) => list.length);
    return {
      of: (network, cluster) =>
        byCluster.get(`${network}/${cluster}`) ?? byNetwork.get(network) ?? [],
      clusterId: mesh.clusterId,
      scale: counts.reduce(leastCommonMultiple, 1),
    };
  },
);

function leastCommonMultiple(left: number, right: number): number {
  return (left * right) / greatestCommonDivisor(left, right);
}

function greatestCommonDivisor(left: number, right: number): number {
  return right === 0 ? left : greatestCommonDivisor(right, left % right);
}

const setSeenFrom = cached(
  (
    set: EndpointSet,
    gateways: Gateways,
    network: string,
    onlyCluster: string | undefined,
  ): EndpointSet => ({
    ...set,
    endpoints: set.endpoints
      .filter((endpoint) => onlyCluster === undefined || isIn(onlyCluster, endpoint))
      .flatMap((endpoint) => endpointsSeenFrom(endpoint, gateways, network)),
  }),
);

const MAX_WEIGHT = 4_294_967_295;

/**
 * The endpoint itself, or the gateways that lead to it. A proxy that doesn't know its network takes
 * the gateways of every network that has some.
 */
function endpointsSeenFrom(endpoint: Endpoint, gateways: Gateways, network: string): Endpoint[] {
  const weight = Math.min(MAX_WEIGHT, endpoint.weight * gateways.scale);
  const there =
    endpoint.network === ""
      ? []
      : gateways.of(endpoint.network, endpoint.cluster ?? gateways.clusterId);
  if (there.length === 0 || endpoint.network === network) return [{ ...endpoint, weight }];
  if (endpoint.health !== "healthy") return [];
  return there.map((gateway) => ({
    ...endpoint,
    address: gateway.address,
    ports: Object.fromEntries(Object.keys(endpoint.ports).map((name) => [name, gateway.port])),
    weight: Math.max(1, Math.floor(weight / there.length)),
    gatewayOf: gateway.network,
  }));
}

/**
 * Members as they can be told: a gateway once in each place, with the weight of all that it stands
 * for. It finds its way by the server name of the mesh's TLS, so without that it leads nowhere;
 * what has no address and no gateway cannot be reached.
 */
export function withGateways(members: readonly Member[], mutual: boolean): readonly Member[] {
  if (
    members.every(({ endpoint }) => endpoint.gatewayOf === undefined && endpoint.address !== "")
  ) {
    return members;
  }
  const merged = new Map<string, Member>();
  const direct: Member[] = [];
  for (const member of members) {
    const { endpoint, told } = member;
    if (endpoint.gatewayOf === undefined) {
      if (endpoint.address !== "") direct.push(member);
      continue;
    }
    if (!mutual || !endpoint.meshTls) continue;
    const key = `${localityText(endpoint.locality)} ${told.address} ${told.port}`;
    const weight = Math.min(MAX_WEIGHT, (merged.get(key)?.told.weight ?? 0) + told.weight);
    const labels = { "topology.istio.io/network": endpoint.gatewayOf };
    merged.set(key, {
      endpoint: { ...endpoint, labels },
      told: { ...told, weight, workload: "", health: "healthy" },
    });
  }
  return [...direct, ...merged.values()];
}

/** Whether clients speak the mesh's TLS to endpoints that do. */
export function speaksMutualTls(policy: TrafficPolicy, mesh: MeshConfig): boolean {
  if (mesh.peerTls === "DISABLE") return false;
  return policy.tls === undefined || policy.tls.mode === "ISTIO_MUTUAL";
}
