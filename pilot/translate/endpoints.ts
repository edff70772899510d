/** Endpoints of a cluster: chosen by port and subset, grouped by locality, ordered by priority. */

import type { Endpoint as IrEndpoint, EndpointAssignment } from "#pilot/ir/endpoint.ts";
import { outboundCluster } from "#pilot/ir/name.ts";
import { cached } from "#pilot/model/cached.ts";
import { matchesAll } from "#pilot/model/labels.ts";
import type { MeshConfig } from "#pilot/model/mesh-config.ts";
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
import type { OutboundScope } from "#pilot/model/scope.ts";
import { type VisibleServices, visibleServices } from "#pilot/model/visible.ts";
import { policyFor, ruleFor } from "./destination-rule.ts";
import { epochOf } from "./epoch.ts";
import { type Member, arrange } from "./locality.ts";
import {
  type ClientPlace,
  type LocalitySetting,
  localitySetting,
  placeFrom,
  placeText,
} from "./locality-setting.ts";
import type { MergedRule, RuleSubset } from "./merged-rule.ts";
import { originOf } from "./result.ts";

/** One assignment for each cluster of the scope whose endpoints are told by discovery. */
export function translateEndpoints(
  context: PushContext,
  scope: OutboundScope,
  visible: VisibleServices = visibleServices(context, scope),
): EndpointAssignment[] {
  const known = epochOf(context, scope).endpoints;
  return visible.list.flatMap((service) => endpointsOfService(context, scope, service, known));
}

/** The assignments of one service: what an endpoint change needs, and nothing else. */
export function endpointsOfService(
  context: PushContext,
  scope: OutboundScope,
  service: Service,
  known = epochOf(context, scope).endpoints,
): readonly EndpointAssignment[] {
  if (!isDiscovered(service, scope.proxyType)) return [];
  const sets = endpointSetsOf(context, service);
  const entry = known.get(service);
  if (entry !== undefined && entry.sets === sets) return entry.assignments;
  const rule = ruleFor(context, scope, service);
  const assignments = assignmentsOf(
    service,
    sets,
    rule,
    context.mesh,
    placeFor(service, rule, context.mesh, scope),
  );
  known.set(service, { sets, assignments });
  return assignments;
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
 * Endpoint sets of a service; those of the same host in another namespace are another service's.
 */
export function endpointSetsOf(context: PushContext, service: Service): readonly EndpointSet[] {
  const sets = lookup(context.indexes.endpointsByHost, service.host);
  return sets.every((set) => set.namespace === service.namespace)
    ? sets
    : sets.filter((set) => set.namespace === service.namespace);
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
    for (const endpoint of chosen) members.push({ endpoint, told: toIr(endpoint, port) });
  }
  const policy = policyFor(input.rule, port.number, input.mesh, input.subset);
  return {
    cluster: outboundCluster(service.host, port.number, input.subset?.subset.name),
    localities: arrange(members, localitySetting(policy, service, input.mesh), place),
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

function toIr(endpoint: Endpoint, port: ServicePort): IrEndpoint {
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
    workload: [endpoint.workload, endpoint.namespace, canonical, revision, "Kubernetes"].join(";"),
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
