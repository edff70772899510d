/** Endpoints of a cluster: chosen by port and subset, grouped by locality, ordered by priority. */

import type { Endpoint as IrEndpoint, EndpointAssignment } from "#pilot/ir/endpoint.ts";
import { outboundCluster } from "#pilot/ir/name.ts";
import { cached } from "#pilot/model/cached.ts";
import { matchesAll } from "#pilot/model/labels.ts";
import type { MeshConfig } from "#pilot/model/mesh-config.ts";
import type { Hostname } from "#pilot/model/name.ts";
import {
  type Endpoint,
  type EndpointSet,
  NO_LOCALITY,
  type Service,
  type ServicePort,
} from "#pilot/model/object.ts";
import { lookup } from "#pilot/model/object-index.ts";
import type { ProxyType } from "#pilot/model/proxy.ts";
import type { PushContext } from "#pilot/model/push-context.ts";
import { type OutboundScope, meshOf } from "#pilot/model/scope.ts";
import { visibleServices } from "#pilot/model/visible.ts";
import { passthroughEndpoints } from "./auto-passthrough.ts";
import { policyFor, ruleFor } from "./destination-rule.ts";
import { type Member, arrange } from "./locality.ts";
import {
  type ClientPlace,
  type LocalitySetting,
  localitySetting,
  placeFrom,
  placeText,
} from "./locality-setting.ts";
import type { MergedRule, RuleSubset } from "./merged-rule.ts";
import { setsSeenFrom, speaksMutualTls, withGateways } from "./network.ts";
import { type Translated, originOf } from "./result.ts";

/** One assignment for each cluster of a host whose endpoints are told by discovery. */
export function translateEndpointsOf(
  context: PushContext,
  scope: OutboundScope,
  host: Hostname,
): Translated<readonly EndpointAssignment[]> {
  const service = visibleServices(context, scope).byHost.get(host);
  const value = service === undefined ? [] : endpointsOfService(context, scope, service);
  return { value, problems: [] };
}

function endpointsOfService(
  context: PushContext,
  scope: OutboundScope,
  service: Service,
): readonly EndpointAssignment[] {
  if (!isDiscovered(service, scope.proxyType)) return [];
  const sets = endpointSetsOf(context, scope, service);
  const rule = ruleFor(context, scope, service);
  const mesh = meshOf(context, scope);
  const place = placeFor(service, rule, mesh, scope);
  const made = assignmentsOf(service, sets, rule, mesh, place);
  if (scope.passesBetweenNetworks === undefined) return made;
  return [...made, ...passthroughEndpoints(service, made, context.mesh)];
}

/**
 * Whether a service's endpoints are told by discovery. To where a connection was going anyway can
 * only be sent by a proxy that connections are redirected to.
 */
export function isDiscovered(service: Service, proxyType: ProxyType): boolean {
  if (service.resolution === "original") return proxyType === "router";
  return service.resolution === "discovery";
}

/**
 * Endpoint sets of a service as the scope's proxies reach them; those of the same host in another
 * namespace are another service's.
 */
export function endpointSetsOf(
  context: PushContext,
  scope: OutboundScope,
  service: Service,
): readonly EndpointSet[] {
  const sets = lookup(context.indexes.endpointsByHost, service.host);
  const own = sets.every((set) => set.namespace === service.namespace)
    ? sets
    : sets.filter((set) => set.namespace === service.namespace);
  return setsSeenFrom(context, scope, service, own);
}

/** Of a client's place, what some cluster of a service depends on (see `placeText`). */
export function placeFor(
  service: Service,
  rule: MergedRule | undefined,
  mesh: MeshConfig,
  scope: OutboundScope,
): string {
  return placeText(settingsOf(service, rule, mesh), scope, service.nodeLocal === true);
}

const settingsOf = cached(
  (service: Service, rule: MergedRule | undefined, mesh: MeshConfig): readonly LocalitySetting[] =>
    service.ports.flatMap((port) =>
      [undefined, ...(rule?.subsets ?? [])].map((subset) =>
        localitySetting(policyFor(rule, port.number, mesh, subset), service, mesh),
      ),
    ),
);

const assignmentsOf = cached(buildAssignments);

function buildAssignments(
  service: Service,
  sets: readonly EndpointSet[],
  rule: MergedRule | undefined,
  mesh: MeshConfig,
  from: string,
): readonly EndpointAssignment[] {
  const assignments: EndpointAssignment[] = [];
  for (const port of service.ports) {
    if (port.protocol === "UDP") continue;
    for (const subset of [undefined, ...(rule?.subsets ?? [])]) {
      assignments.push(buildAssignment(service, port, { sets, rule, subset, mesh, from }));
    }
  }
  return assignments;
}

export interface AssignmentInput {
  readonly sets: readonly EndpointSet[];
  readonly rule: MergedRule | undefined;
  readonly subset: RuleSubset | undefined;
  readonly mesh: MeshConfig;
  /** What of the client's place matters (`placeFor`). */
  readonly from: string;
}

/** The endpoints behind one cluster. */
export function buildAssignment(
  service: Service,
  port: ServicePort,
  input: AssignmentInput,
): EndpointAssignment {
  const labels = input.subset?.subset.labels ?? {};
  const place = placeFrom(input.from);
  const members: Member[] = [];
  const used: EndpointSet[] = [];
  for (const set of input.sets) {
    const chosen = set.endpoints.filter(
      (endpoint) =>
        isUsed(endpoint, service, place) &&
        Object.hasOwn(endpoint.ports, port.name) &&
        matchesAll(labels, endpoint.labels),
    );
    if (chosen.length > 0) used.push(set);
    const { clusterId } = input.mesh;
    for (const endpoint of chosen)
      members.push({ endpoint, told: toIr(endpoint, port, clusterId) });
  }
  const policy = policyFor(input.rule, port.number, input.mesh, input.subset);
  const told = withGateways(members, speaksMutualTls(policy, input.mesh));
  return {
    cluster: outboundCluster(service.host, port.number, input.subset?.subset.name),
    localities: arrange(told, localitySetting(policy, service, input.mesh), place),
    origins: [
      originOf(service.source),
      ...used.map((set) => originOf(set.source)),
      ...(input.subset === undefined ? [] : [originOf(input.subset.rule.key, input.subset.path)]),
    ],
  };
}

/**
 * Unhealthy endpoints are told only where others are to take over for them: a service that prefers
 * near ones. Those that serve no more never are.
 */
function isUsed(endpoint: Endpoint, service: Service, place: ClientPlace): boolean {
  if (service.nodeLocal === true && (place.node === "" || endpoint.node !== place.node)) {
    return false;
  }
  if (endpoint.health === "unhealthy") return service.prefers !== undefined;
  return endpoint.health !== "terminating";
}

function toIr(endpoint: Endpoint, port: ServicePort, clusterId: string): IrEndpoint {
  const { labels } = endpoint;
  const canonical =
    labels["service.istio.io/canonical-name"] ??
    labels["app.kubernetes.io/name"] ??
    labels.app ??
    endpoint.workload;
  const revision =
    labels["service.istio.io/canonical-revision"] ??
    labels["app.kubernetes.io/version"] ??
    labels.version ??
    "";
  return {
    address: endpoint.address,
    port: endpoint.ports[port.name] ?? port.number,
    weight: endpoint.weight,
    health: endpoint.health === "terminating" ? "unhealthy" : endpoint.health,
    workload: [
      endpoint.workload,
      endpoint.namespace,
      canonical,
      revision,
      endpoint.cluster ?? clusterId,
    ].join(";"),
    meshTls: endpoint.meshTls,
  };
}

/** A single endpoint by name or address, as static and DNS clusters need it. */
export function singleEndpoint(
  cluster: EndpointAssignment["cluster"],
  address: string,
  port: number,
): EndpointAssignment {
  return {
    cluster,
    localities: [
      {
        ...NO_LOCALITY,
        priority: 0,
        weight: 1,
        endpoints: [{ address, port, weight: 1, health: "healthy", workload: "", meshTls: false }],
      },
    ],
    origins: [],
  };
}
