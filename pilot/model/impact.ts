/** Which classes of proxies, and which of their lists, a change can touch. */

import { type Change, keyOfChange } from "./change.ts";
import type {
  DestinationRule,
  EndpointSet,
  ModelObject,
  Service,
  VirtualService,
} from "./object.ts";
import { lookup } from "./object-index.ts";
import { covers, isWildcard } from "./host.ts";
import { mirrorsOf } from "./mirrors.ts";
import { type PlaceKind, placesReadBy } from "./place.ts";
import { usesCredential } from "./credential-use.ts";
import {
  type PushContext,
  gatewaysOf,
  hasConnectionRules,
  hostsOf,
  labelNamesOf,
  objectOf,
} from "./push-context.ts";
import { listenerKind } from "./protocol.ts";
import type { ProxyScope } from "./scope.ts";
import { isCollector } from "./telemetries.ts";
import { visibleServices } from "./visible.ts";
import { isRuleVisible, isServiceVisible } from "./visibility.ts";

/** The lists of a ScopeIr. */
export type IrList = "clusters" | "listeners" | "routes" | "endpoints" | "secrets";

const EVERYTHING: readonly IrList[] = ["clusters", "listeners", "routes", "endpoints", "secrets"];
const NOTHING: readonly IrList[] = [];

/**
 * The lists of a scope that may differ after a change; a list that isn't named is certainly the
 * same. `previous` and `next` are the worlds before and after it (or after the batch that holds
 * it).
 */
export function impactOf(
  change: Change,
  scope: ProxyScope,
  previous: PushContext,
  next: PushContext,
): readonly IrList[] {
  const key = keyOfChange(change);
  const before = objectOf(previous, key);
  const after = objectOf(next, key);
  const lists = new Set<IrList>();
  for (const [object, context] of [
    [before, previous],
    [after, next],
  ] as const) {
    if (object === undefined) continue;
    for (const list of listsOf(object, scope, context)) lists.add(list);
  }
  return lists.size === 0 ? NOTHING : EVERYTHING.filter((list) => lists.has(list));
}

/** Proxies by their addresses, and all of some namespaces. */
export interface MovedProxies {
  readonly addresses: ReadonlySet<string>;
  readonly namespaces: ReadonlySet<string>;
}

/**
 * Whether proxies may belong to other scopes after a change: call `scopesOf` again, for all of them
 * or for these.
 */
export function movedBy(
  change: Change,
  previous: PushContext,
  next: PushContext,
): "none" | "all" | MovedProxies {
  const key = keyOfChange(change);
  const objects = [objectOf(previous, key), objectOf(next, key)].filter(
    (object) => object !== undefined,
  );
  const addresses = new Set<string>();
  const namespaces = new Set<string>();
  for (const object of objects) {
    switch (object.kind) {
      case "Service":
        if (placesDiffer(object, previous, next) || vantagesDiffer(object, previous, next)) {
          return "all";
        }
        if (isCollector(previous.mesh, object) || isCollector(next.mesh, object)) return "all";
        if (object.selector !== undefined) namespaces.add(object.namespace);
        for (const { indexes } of [previous, next]) {
          for (const set of lookup(indexes.endpointsByHost, object.host)) {
            for (const endpoint of set.endpoints) addresses.add(endpoint.address);
          }
        }
        break;
      case "Sidecar":
      case "Gateway":
      case "EnvoyFilter":
      case "Telemetry":
      case "NetworkGateways":
      case "MeshConfig":
        return "all";
      case "VirtualService":
      case "DestinationRule":
        if (labelsDiffer(object, previous, next)) return "all";
        if (object.kind === "DestinationRule" && placesDiffer(object, previous, next)) return "all";
        break;
      case "EndpointSet":
        for (const endpoint of object.endpoints) addresses.add(endpoint.address);
        break;
      case "Workload":
        for (const address of object.addresses) addresses.add(address);
        break;
      case "Namespace":
      case "ServiceEntry":
      case "WorkloadEntry":
      case "WorkloadGroup":
      case "ProxyConfig":
      case "Credential":
        break;
    }
  }
  return addresses.size + namespaces.size === 0 ? "none" : { addresses, namespaces };
}

/** Whether a label that this rule looks at has begun or ceased to count. */
function labelsDiffer(
  rule: VirtualService | DestinationRule,
  { indexes: before }: PushContext,
  { indexes: after }: PushContext,
): boolean {
  return labelNamesOf(rule).some(
    (name) => before.rulesByLabelName.lists.has(name) !== after.rulesByLabelName.lists.has(name),
  );
}

/** Whether what proxies say of their cluster has begun or ceased to count. */
function vantagesDiffer(
  { cluster = "" }: Service,
  { indexes: before }: PushContext,
  { indexes: after }: PushContext,
): boolean {
  return (
    before.remoteServices.lists.has(cluster) !== after.remoteServices.lists.has(cluster) ||
    (before.allocatedServices.lists.size === 0) !== (after.allocatedServices.lists.size === 0)
  );
}

/** Whether a place that this object reads has begun or ceased to count. */
function placesDiffer(
  object: Service | DestinationRule,
  previous: PushContext,
  next: PushContext,
): boolean {
  const counts = (context: PushContext, kind: PlaceKind): boolean =>
    context.indexes.readersOfPlace.lists.has(kind);
  return placesReadBy(object).some((kind) => counts(previous, kind) !== counts(next, kind));
}

function listsOf(object: ModelObject, scope: ProxyScope, context: PushContext): readonly IrList[] {
  switch (object.kind) {
    case "MeshConfig":
      return EVERYTHING;
    case "Sidecar":
      return scope.sidecar === object.key ? EVERYTHING : NOTHING;
    case "Service":
      return scope.kind === "workload" && scope.proxyType === "sidecar"
        ? NOTHING
        : isServiceVisible(object, context.mesh, scope.namespace) &&
            visibleServices(context, scope).byHost.has(object.host)
          ? EVERYTHING
          : NOTHING;
    case "EndpointSet":
      return listsOfEndpoints(object, scope, context);
    case "VirtualService":
      return [...listsOfRule(object, scope, context), ...listsOfMirrors(object, scope, context)];
    case "DestinationRule":
      return listsOfDestinationRule(object, scope, context);
    case "Gateway":
      return scope.kind === "workload" && scope.gateways.includes(object.key)
        ? ["listeners", "routes", "secrets"]
        : NOTHING;
    case "EnvoyFilter":
      return scope.patches?.some((patch) => patch.filter === object.key) === true
        ? EVERYTHING
        : NOTHING;
    case "Telemetry":
      return scope.telemetry?.includes(object.key) === true ? ["listeners"] : NOTHING;
    case "NetworkGateways":
      // Listeners of headless services hold the addresses that are reached directly.
      return scope.kind === "outbound" ? EVERYTHING : NOTHING;
    case "Credential":
      return usesCredential(context, scope, object.key) ? ["secrets"] : NOTHING;
    case "ServiceEntry":
    case "WorkloadEntry":
    case "WorkloadGroup":
    case "ProxyConfig":
    case "Workload":
    case "Namespace":
      return NOTHING;
  }
}

/** Endpoints take the short way, unless listeners or clusters hold addresses themselves. */
function listsOfEndpoints(
  set: EndpointSet,
  scope: ProxyScope,
  context: PushContext,
): readonly IrList[] {
  if (scope.kind === "workload") return NOTHING;
  const service = visibleServices(context, scope).byHost.get(set.host);
  if (service === undefined) return NOTHING;
  if (service.headless) return EVERYTHING;
  return service.resolution === "discovery" ? ["endpoints"] : ["clusters", "endpoints"];
}

/** Sidecars' own traffic is about their own services; connections read rules of their routes. */
function listsOfDestinationRule(
  rule: DestinationRule,
  scope: ProxyScope,
  context: PushContext,
): readonly IrList[] {
  if (!isRuleVisible(rule, context.mesh, scope.namespace)) return NOTHING;
  if (scope.proxyType === "router") return EVERYTHING;
  const hosts = hostsOf(rule, context.mesh.clusterDomain);
  if (scope.kind === "workload") {
    const isOwn = scope.targets.some((target) => hosts.some((host) => covers(host, target.host)));
    return isOwn ? EVERYTHING : NOTHING;
  }
  const { servicesByHost, virtualServicesByDestination } = context.indexes;
  const hasConnections = hosts.some(
    (host) =>
      isWildcard(host) ||
      lookup(virtualServicesByDestination, host).some((one) => hasConnectionRules(one)) ||
      lookup(servicesByHost, host).some((service) =>
        service.ports.some((port) => listenerKind(port.protocol) !== "http"),
      ),
  );
  return hasConnections ? EVERYTHING : EVERYTHING.filter((list) => list !== "listeners");
}

/** Whether a cluster is sent unasked depends on rules that mirror to it, visible or not. */
function listsOfMirrors(
  rule: VirtualService,
  scope: ProxyScope,
  { mesh }: PushContext,
): readonly IrList[] {
  const isOnDemand = scope.kind === "outbound" && scope.isOnDemand === true;
  return isOnDemand && mirrorsOf(rule, mesh.clusterDomain).size > 0 ? ["clusters"] : NOTHING;
}

/** A rule counts for itself, and as the delegate of others, whom alone it must be visible to. */
function listsOfRule(
  rule: VirtualService,
  scope: ProxyScope,
  context: PushContext,
): readonly IrList[] {
  const roots = lookup(context.indexes.virtualServicesByDelegate, rule.key);
  const own = listsOfRoot(rule, scope, context);
  if (roots.length === 0) return own;
  const lists = new Set([rule, ...roots].flatMap((one) => listsOfRoot(one, scope, context)));
  return [...lists];
}

function listsOfRoot(
  rule: VirtualService,
  scope: ProxyScope,
  context: PushContext,
): readonly IrList[] {
  if (!isRuleVisible(rule, context.mesh, scope.namespace)) return NOTHING;
  const isDelegate = (rule.spec.hosts ?? []).length === 0;
  const gateways = gatewaysOf(rule);
  if (scope.proxyType === "sidecar") {
    if (scope.kind === "workload") return NOTHING;
    if (!isDelegate && !gateways.includes("mesh")) return NOTHING;
    // A Sidecar may let its proxies see destinations only because a rule leads there.
    if (scope.sidecar !== undefined) return EVERYTHING;
    return hasConnectionRules(rule) ? ["listeners", "routes"] : ["routes"];
  }
  if (scope.kind === "outbound") return NOTHING;
  // By the objects' names, not their keys: a Gateway may come from an Ingress.
  const names = scope.gateways.map((key) => {
    const gateway = objectOf(context, key);
    return gateway?.kind === "Gateway" ? `${gateway.namespace}/${gateway.name}` : "";
  });
  const bound = gateways.some((name) => names.includes(name));
  return isDelegate || bound ? ["listeners", "routes"] : NOTHING;
}
