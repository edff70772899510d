/**
 * PushContext: the world at one moment, immutable and indexed for translation. A new one is made
 * from the last by a set of changes and shares everything that did not change, so its cost grows
 * with the changes. Lists in indexes keep their identity until one of their objects changes:
 * translation caches by that.
 */

import { cached } from "./cached.ts";
import { type Change, keyOfChange } from "./change.ts";
import { failoverLabelsOf, placesReadBy } from "./place.ts";
import { DEFAULT_MESH, type MeshConfig } from "./mesh-config.ts";
import { type Hostname, type ObjectKey, objectKey, resolveHost } from "./name.ts";
import {
  type DestinationRule,
  type EndpointSet,
  type EnvoyFilter,
  type Gateway,
  type ModelObject,
  type NamespaceInfo,
  type NetworkGateways,
  type Service,
  type Sidecar,
  type Telemetry,
  type VirtualService,
  type Workload,
  compareAge,
  compareText,
} from "./object.ts";
import { type IndexSpec, type ObjectIndex, emptyIndex, lookup, reindex } from "./object-index.ts";
import { PersistentMap } from "./persistent-map.ts";

/**
 * What each index holds; its key is in the name. `ALL` is the one key of the lists of everything.
 */
interface Indexed {
  services: Service;
  servicesByHost: Service;
  servicesByNamespace: Service;
  /** By the host that an alias stands for. */
  servicesByAliasOf: Service;
  virtualServicesByHost: VirtualService;
  /** `mesh` or `namespace/name` of a Gateway. */
  virtualServicesByGateway: VirtualService;
  /** By host of a destination of one of its routes. */
  virtualServicesByDestination: VirtualService;
  /** By key of a VirtualService that one of its rules delegates to. */
  virtualServicesByDelegate: VirtualService;
  destinationRulesByHost: DestinationRule;
  /** All rules that name a credential of a client. */
  destinationRulesWithCredentials: DestinationRule;
  gateways: Gateway;
  sidecarsByNamespace: Sidecar;
  envoyFiltersByNamespace: EnvoyFilter;
  telemetriesByNamespace: Telemetry;
  /** Label names that some rule looks at, which therefore divide proxies into classes. */
  rulesByLabelName: VirtualService | DestinationRule;
  /** Places that decide something: `PlaceKind`s, which divide proxies into classes. */
  readersOfPlace: Service | DestinationRule;
  /** By cluster, of those that aren't in the one that configuration comes from. */
  remoteServices: Service;
  /** Those with allocated addresses. */
  allocatedServices: Service;
  networkGateways: NetworkGateways;
  endpointsByHost: EndpointSet;
  endpointsByAddress: EndpointSet;
  workloadsByAddress: Workload;
  namespaces: NamespaceInfo;
}

export const ALL = "";

type Indexes = { readonly [N in keyof Indexed]: ObjectIndex<Indexed[N]> };

export interface PushContext {
  readonly mesh: MeshConfig;
  readonly objects: PersistentMap<ModelObject>;
  readonly indexes: Indexes;
}

/**
 * The world that a list of changes makes out of nothing; their order does not matter per object.
 */
export function createPushContext(changes: Iterable<Change>): PushContext {
  return updatePushContext(emptyContext(DEFAULT_MESH), changes);
}

/**
 * The next world. Changes of the same object: the last wins. Nothing changed gives the same
 * context.
 */
export function updatePushContext(previous: PushContext, changes: Iterable<Change>): PushContext {
  const last = new Map<ObjectKey, ModelObject | undefined>();
  for (const change of changes) {
    last.set(keyOfChange(change), change.type === "upsert" ? change.object : undefined);
  }
  const objects = previous.objects.with(last);
  if (objects === previous.objects) return previous;
  const mesh = meshOf(previous, last);
  if (mesh !== previous.mesh) {
    const empty = emptyContext(mesh);
    return { ...empty, objects, indexes: updateIndexes(empty.indexes, [], [...objects.values()]) };
  }
  const removed: ModelObject[] = [];
  const added: ModelObject[] = [];
  for (const [key, object] of last) {
    const before = previous.objects.get(key);
    if (before === object) continue;
    if (before !== undefined) removed.push(before);
    if (object !== undefined) added.push(object);
  }
  return { mesh, objects, indexes: updateIndexes(previous.indexes, removed, added) };
}

function meshOf(
  previous: PushContext,
  last: ReadonlyMap<ObjectKey, ModelObject | undefined>,
): MeshConfig {
  let mesh = previous.mesh;
  for (const [key, object] of last) {
    if (object?.kind === "MeshConfig") mesh = object.mesh;
    else if (object === undefined && previous.objects.get(key)?.kind === "MeshConfig") {
      mesh = DEFAULT_MESH;
    }
  }
  return mesh;
}

function emptyContext(mesh: MeshConfig): PushContext {
  return { mesh, objects: PersistentMap.empty(), indexes: emptyIndexes(mesh) };
}

/** Host names that a VirtualService or DestinationRule is about, in full. */
export const hostsOf = cached(
  (object: VirtualService | DestinationRule, clusterDomain: string): readonly Hostname[] => {
    const hosts = object.kind === "VirtualService" ? (object.spec.hosts ?? []) : [object.spec.host];
    return [
      ...new Set(hosts.map((host) => resolveHost(host ?? "", object.namespace, clusterDomain))),
    ];
  },
);

/** Gateways that a VirtualService is bound to, `mesh` or `namespace/name`; none means `mesh`. */
export function gatewaysOf(object: VirtualService, names = object.spec.gateways ?? []): string[] {
  if (names.length === 0) return ["mesh"];
  return [
    ...new Set(
      names.map((name) =>
        name === "mesh" || name.includes("/") ? name : `${object.namespace}/${name}`,
      ),
    ),
  ];
}

/** Whether a rule is about connections that aren't requests, and so about listeners. */
export function hasConnectionRules({ spec }: VirtualService): boolean {
  return (spec.tcp ?? []).length + (spec.tls ?? []).length > 0;
}

/** Every host that a rule sends traffic to. */
export function destinationsOf(rule: VirtualService, clusterDomain: string): Hostname[] {
  const { http = [], tls = [], tcp = [] } = rule.spec;
  const hosts = [
    ...http.flatMap((one) => [
      ...(one.route ?? []).map((to) => to.destination?.host),
      one.mirror?.host,
      ...(one.mirrors ?? []).map((to) => to.destination?.host),
    ]),
    ...[...tls, ...tcp].flatMap((one) => (one.route ?? []).map((to) => to.destination?.host)),
  ];
  return hosts
    .filter((host) => host !== undefined)
    .map((host) => resolveHost(host, rule.namespace, clusterDomain));
}

/** VirtualServices that a rule delegates to, whether they exist or not; each once. */
function delegateKeysOf(rule: VirtualService): ObjectKey[] {
  const keys = (rule.spec.http ?? []).flatMap(({ delegate }) =>
    delegate === undefined ? [] : [delegateKey(rule, delegate)],
  );
  return [...new Set(keys)];
}

/** The VirtualService that a root names; without a namespace one of the root's own. */
export function delegateKey(
  root: VirtualService,
  delegate: { readonly name?: string; readonly namespace?: string },
): ObjectKey {
  const namespace = delegate.namespace ?? "";
  return objectKey(
    "VirtualService",
    namespace === "" ? root.namespace : namespace,
    delegate.name ?? "",
  );
}

/** Names of labels of clients that a rule looks at. */
export function labelNamesOf(object: VirtualService | DestinationRule): string[] {
  if (object.kind === "DestinationRule") {
    return [
      ...new Set([
        ...Object.keys(object.spec.workloadSelector?.matchLabels ?? {}),
        ...failoverLabelsOf(object),
      ]),
    ];
  }
  const { http = [], tls = [], tcp = [] } = object.spec;
  const matches = [...http, ...tls, ...tcp].flatMap((rule) => rule.match ?? []);
  return [...new Set(matches.flatMap((match) => Object.keys(match.sourceLabels ?? {})))];
}

function namesCredential({ spec }: DestinationRule): boolean {
  const policies = [spec.trafficPolicy, ...(spec.subsets ?? []).map((one) => one.trafficPolicy)];
  const all = policies.flatMap((policy) => [policy, ...(policy?.portLevelSettings ?? [])]);
  return all.some((policy) => (policy?.tls?.credentialName ?? "") !== "");
}

function emptyIndexes(mesh: MeshConfig): Indexes {
  const hosts = (object: VirtualService | DestinationRule): readonly string[] =>
    hostsOf(object, mesh.clusterDomain);
  return {
    services: emptyIndex(all<Service>(compareServices)),
    servicesByHost: emptyIndex(by<Service>((one) => [one.host], compareServices)),
    servicesByNamespace: emptyIndex(by<Service>((one) => [one.namespace], compareServices)),
    servicesByAliasOf: emptyIndex(
      by<Service>((one) => (one.aliasOf === undefined ? [] : [one.aliasOf]), compareServices),
    ),
    virtualServicesByHost: emptyIndex(by<VirtualService>(hosts, compareAge)),
    virtualServicesByGateway: emptyIndex(by<VirtualService>((one) => gatewaysOf(one), compareAge)),
    virtualServicesByDestination: emptyIndex(
      by<VirtualService>(
        (one) => [...new Set(destinationsOf(one, mesh.clusterDomain))],
        compareAge,
      ),
    ),
    virtualServicesByDelegate: emptyIndex(by<VirtualService>(delegateKeysOf, compareAge)),
    destinationRulesByHost: emptyIndex(by<DestinationRule>(hosts, compareAge)),
    destinationRulesWithCredentials: emptyIndex(
      by<DestinationRule>((rule) => (namesCredential(rule) ? [ALL] : []), compareAge),
    ),
    gateways: emptyIndex(all<Gateway>(compareAge)),
    sidecarsByNamespace: emptyIndex(by<Sidecar>((one) => [one.namespace], compareAge)),
    envoyFiltersByNamespace: emptyIndex(by<EnvoyFilter>((one) => [one.namespace], compareAge)),
    telemetriesByNamespace: emptyIndex(by<Telemetry>((one) => [one.namespace], compareAge)),
    rulesByLabelName: emptyIndex(by<VirtualService | DestinationRule>(labelNamesOf, compareByKey)),
    readersOfPlace: emptyIndex(by<Service | DestinationRule>(placesReadBy, compareByKey)),
    remoteServices: emptyIndex(
      by<Service>((one) => (one.cluster === undefined ? [] : [one.cluster]), compareServices),
    ),
    allocatedServices: emptyIndex(
      by<Service>((one) => (one.allocated === undefined ? [] : [one.host]), compareServices),
    ),
    networkGateways: emptyIndex(all<NetworkGateways>(compareByKey)),
    endpointsByHost: emptyIndex(by<EndpointSet>((set) => [set.host], compareByKey)),
    endpointsByAddress: emptyIndex(
      by<EndpointSet>((set) => [...new Set(set.endpoints.map((one) => one.address))], compareByKey),
    ),
    workloadsByAddress: emptyIndex(by<Workload>((one) => one.addresses, compareByKey)),
    namespaces: emptyIndex(by<NamespaceInfo>((one) => [one.name], compareByKey)),
  };
}

function by<T>(
  keysOf: (object: T) => readonly string[],
  compare: (left: T, right: T) => number,
): IndexSpec<T> {
  return { keysOf, compare };
}

function all<T>(compare: (left: T, right: T) => number): IndexSpec<T> {
  return by(() => [ALL], compare);
}

function compareByKey(left: { key: ObjectKey }, right: { key: ObjectKey }): number {
  return compareText(left.key, right.key);
}

/**
 * By host; of one host the platform's own service first, those of the first cluster before others,
 * then the oldest.
 */
function compareServices(left: Service, right: Service): number {
  return (
    compareText(left.host, right.host) ||
    rankOfSource(left) - rankOfSource(right) ||
    compareText(left.cluster ?? "", right.cluster ?? "") ||
    compareAge(left, right) ||
    compareByKey(left, right)
  );
}

function rankOfSource(service: Service): number {
  return service.source.startsWith("Service/") ? 0 : 1;
}

type Kinds = { [K in ModelObject["kind"]]: Extract<ModelObject, { kind: K }> };

function updateIndexes(
  indexes: Indexes,
  removed: readonly ModelObject[],
  added: readonly ModelObject[],
): Indexes {
  const of = <K extends keyof Kinds>(kind: K, objects: readonly ModelObject[]): Kinds[K][] =>
    objects.filter((object): object is Kinds[K] => object.kind === kind);
  const update = <T extends object>(
    index: ObjectIndex<T>,
    pick: (objects: readonly ModelObject[]) => T[],
  ): ObjectIndex<T> => reindex(index, pick(removed), pick(added));
  const services = (list: readonly ModelObject[]): Service[] => of("Service", list);
  const virtualServices = (list: readonly ModelObject[]): VirtualService[] =>
    of("VirtualService", list);
  const rules = (list: readonly ModelObject[]): DestinationRule[] => of("DestinationRule", list);
  const endpoints = (list: readonly ModelObject[]): EndpointSet[] => of("EndpointSet", list);
  return {
    services: update(indexes.services, services),
    servicesByHost: update(indexes.servicesByHost, services),
    servicesByNamespace: update(indexes.servicesByNamespace, services),
    servicesByAliasOf: update(indexes.servicesByAliasOf, services),
    virtualServicesByHost: update(indexes.virtualServicesByHost, virtualServices),
    virtualServicesByGateway: update(indexes.virtualServicesByGateway, virtualServices),
    virtualServicesByDestination: update(indexes.virtualServicesByDestination, virtualServices),
    virtualServicesByDelegate: update(indexes.virtualServicesByDelegate, virtualServices),
    destinationRulesByHost: update(indexes.destinationRulesByHost, rules),
    destinationRulesWithCredentials: update(indexes.destinationRulesWithCredentials, rules),
    gateways: update(indexes.gateways, (list) => of("Gateway", list)),
    sidecarsByNamespace: update(indexes.sidecarsByNamespace, (list) => of("Sidecar", list)),
    envoyFiltersByNamespace: update(indexes.envoyFiltersByNamespace, (list) =>
      of("EnvoyFilter", list),
    ),
    telemetriesByNamespace: update(indexes.telemetriesByNamespace, (list) => of("Telemetry", list)),
    rulesByLabelName: update(indexes.rulesByLabelName, (list) => [
      ...virtualServices(list),
      ...rules(list),
    ]),
    readersOfPlace: update(indexes.readersOfPlace, (list) => [...services(list), ...rules(list)]),
    remoteServices: update(indexes.remoteServices, services),
    allocatedServices: update(indexes.allocatedServices, services),
    networkGateways: update(indexes.networkGateways, (list) => of("NetworkGateways", list)),
    endpointsByHost: update(indexes.endpointsByHost, endpoints),
    endpointsByAddress: update(indexes.endpointsByAddress, endpoints),
    workloadsByAddress: update(indexes.workloadsByAddress, (list) => of("Workload", list)),
    namespaces: update(indexes.namespaces, (list) => of("Namespace", list)),
  };
}

/** All services of the world, by host. */
export function allServices(context: PushContext): readonly Service[] {
  return lookup(context.indexes.services, ALL);
}

/** All Gateways, oldest first. */
export function allGateways(context: PushContext): readonly Gateway[] {
  return lookup(context.indexes.gateways, ALL);
}

/** An object by its key, of whatever kind. */
export function objectOf(context: PushContext, key: ObjectKey): ModelObject | undefined {
  return context.objects.get(key);
}
