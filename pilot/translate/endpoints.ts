/** Endpoints of a cluster: chosen by port and subset, grouped by locality, ordered by priority. */

import type { TrafficPolicy } from "#crds/types/networking-v1.ts";
import type {
  Endpoint as IrEndpoint,
  EndpointAssignment,
  LocalityEndpoints,
} from "#pilot/ir/endpoint.ts";
import { outboundCluster } from "#pilot/ir/name.ts";
import { cached } from "#pilot/model/cached.ts";
import { matchesAll } from "#pilot/model/labels.ts";
import type { MeshConfig } from "#pilot/model/mesh-config.ts";
import {
  type Endpoint,
  type EndpointSet,
  type Locality,
  NO_LOCALITY,
  type Service,
  type ServicePort,
  compareText,
} from "#pilot/model/object.ts";
import { lookup } from "#pilot/model/object-index.ts";
import type { PushContext } from "#pilot/model/push-context.ts";
import type { OutboundScope } from "#pilot/model/scope.ts";
import { type VisibleServices, visibleServices } from "#pilot/model/visible.ts";
import { policyFor, ruleFor } from "./destination-rule.ts";
import { epochOf } from "./epoch.ts";
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
  if (service.resolution !== "discovery") return [];
  const sets = endpointSetsOf(context, service);
  const entry = known.get(service);
  if (entry !== undefined && entry.sets === sets) return entry.assignments;
  const rule = ruleFor(context, scope, service);
  const assignments = assignmentsOf(
    service,
    sets,
    rule,
    context.mesh,
    usesLocality(rule, context.mesh) ? localityText(scope.locality) : "",
  );
  known.set(service, { sets, assignments });
  return assignments;
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

/** The client's place only counts where unhealthy endpoints are noticed. */
function usesLocality(rule: MergedRule | undefined, mesh: MeshConfig): boolean {
  if (!mesh.localityFailover || rule === undefined) return false;
  const policies = [rule.policy?.value, ...rule.subsets.map((one) => one.subset.trafficPolicy)];
  return policies.some(
    (policy) =>
      policy?.outlierDetection !== undefined ||
      policy?.portLevelSettings?.some((one) => one.outlierDetection !== undefined) === true,
  );
}

function localityText(locality: Locality): string {
  return `${locality.region}/${locality.zone}/${locality.subZone}`;
}

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
  /** The client's `region/zone/subZone`, or empty where it doesn't matter. */
  readonly from: string;
}

/** The endpoints behind one cluster. */
export function buildAssignment(
  service: Service,
  port: ServicePort,
  input: AssignmentInput,
): EndpointAssignment {
  const labels = input.subset?.subset.labels ?? {};
  const byLocality = new Map<string, { locality: Locality; endpoints: IrEndpoint[] }>();
  const used: EndpointSet[] = [];
  for (const set of input.sets) {
    const chosen = set.endpoints.filter(
      (endpoint) =>
        endpoint.health !== "unhealthy" &&
        Object.hasOwn(endpoint.ports, port.name) &&
        matchesAll(labels, endpoint.labels),
    );
    if (chosen.length > 0) used.push(set);
    for (const endpoint of chosen) {
      const key = localityText(endpoint.locality);
      const group = byLocality.get(key) ?? { locality: endpoint.locality, endpoints: [] };
      byLocality.set(key, group);
      group.endpoints.push(toIr(endpoint, port));
    }
  }
  const policy = policyFor(input.rule, port.number, input.subset);
  return {
    cluster: outboundCluster(service.host, port.number, input.subset?.subset.name),
    localities: prioritize([...byLocality.values()], policy, input.from),
    origins: [
      originOf(service.source),
      ...used.map((set) => originOf(set.source)),
      ...(input.subset === undefined ? [] : [originOf(input.subset.rule.key, input.subset.path)]),
    ],
  };
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
    health: endpoint.health,
    workload: [endpoint.workload, endpoint.namespace, canonical, revision, "Kubernetes"].join(";"),
    meshTls: endpoint.meshTls,
  };
}

/** Nearest localities first where failover is on, else all at the same priority. */
function prioritize(
  groups: readonly { locality: Locality; endpoints: IrEndpoint[] }[],
  policy: TrafficPolicy,
  from: string,
): LocalityEndpoints[] {
  const [region = "", zone = "", subZone = ""] = from.split("/");
  const failover =
    from !== "" &&
    region !== "" &&
    policy.outlierDetection !== undefined &&
    policy.loadBalancer?.localityLbSetting?.enabled !== false;
  const distance = (locality: Locality): number => {
    if (!failover) return 0;
    if (locality.region !== region) return 3;
    if (locality.zone !== zone) return 2;
    return locality.subZone === subZone ? 0 : 1;
  };
  const distances = [...new Set(groups.map((group) => distance(group.locality)))].toSorted(
    (left, right) => left - right,
  );
  return groups
    .map(({ locality, endpoints }) => ({
      ...locality,
      priority: distances.indexOf(distance(locality)),
      weight: endpoints.reduce((sum, endpoint) => sum + endpoint.weight, 0),
      endpoints: endpoints.toSorted(
        (left, right) => compareText(left.address, right.address) || left.port - right.port,
      ),
    }))
    .toSorted(
      (left, right) =>
        left.priority - right.priority || compareText(localityText(left), localityText(right)),
    );
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
