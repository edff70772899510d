/**
 * What one scope sees of the world: services by host, and routing rules, after exportTo and
 * Sidecar.
 */

import { cached } from "./cached.ts";
import { egressListeners, importsAttached, importsRule, importsService } from "./egress.ts";
import type { MeshConfig } from "./mesh-config.ts";
import type { Hostname } from "./name.ts";
import { type Service, type Sidecar, type VirtualService, compareText } from "./object.ts";
import { type ObjectIndex, lookup } from "./object-index.ts";
import { type PushContext, hostsOf, objectOf } from "./push-context.ts";
import type { ProxyScope } from "./scope.ts";
import { isIn } from "./vantage.ts";
import { isRuleVisible, isServiceVisible } from "./visibility.ts";

/** Services of a scope, one a host. Single ones are found by indexes; the list is made when read. */
export interface VisibleServices {
  /** Sorted by host. */
  readonly list: readonly Service[];
  readonly byHost: ServicesByHost;
}

export interface ServicesByHost {
  get(host: Hostname): Service | undefined;
  has(host: Hostname): boolean;
}

/** The services that proxies of a scope may call. */
export function visibleServices(context: PushContext, scope: ProxyScope): VisibleServices {
  const { servicesByHost, virtualServicesByDestination } = context.indexes;
  const sidecar = sidecarOf(context, scope);
  const isToldAllocated = scope.kind === "outbound" && scope.isToldAllocated === true;
  const vantage = [scope.cluster, isToldAllocated] as const;
  return sidecar === undefined
    ? seenByNamespace(servicesByHost, context.mesh, scope.namespace, ...vantage)
    : seenThroughSidecar(
        servicesByHost,
        virtualServicesByDestination,
        sidecar,
        context.mesh,
        scope.namespace,
        ...vantage,
      );
}

/**
 * Routing rules for sidecars about a host (or wildcard) that a scope sees, oldest first; those that
 * the clients' own namespace has attached to it before all others.
 */
export function visibleRulesFor(
  context: PushContext,
  scope: ProxyScope,
  host: Hostname,
): readonly VirtualService[] {
  const all = lookup(context.indexes.virtualServicesByHost, host);
  if (all.length === 0) return all;
  const sidecar = sidecarOf(context, scope);
  const seen = all.filter((rule) => isRuleOfMesh(rule, context.mesh, scope.namespace, sidecar));
  if (seen.every((rule) => rule.attachment === undefined)) return seen;
  const owner = visibleServices(context, scope).byHost.get(host)?.namespace;
  return [
    ...seen.filter((rule) => isOfConsumer(rule, scope.namespace)),
    ...seen.filter(
      (rule) =>
        !isOfConsumer(rule, scope.namespace) &&
        (rule.attachment === undefined || rule.namespace === owner),
    ),
  ];
}

/** An attached rule of the clients' own namespace comes before all others. */
function isOfConsumer(rule: VirtualService, namespace: string): boolean {
  return rule.attachment !== undefined && rule.namespace === namespace;
}

/** The Sidecar object of a scope. */
export function sidecarOf(context: PushContext, scope: ProxyScope): Sidecar | undefined {
  if (scope.sidecar === undefined) return undefined;
  const object = objectOf(context, scope.sidecar);
  return object?.kind === "Sidecar" ? object : undefined;
}

const seenByNamespace = cached(
  (
    services: ObjectIndex<Service>,
    mesh: MeshConfig,
    namespace: string,
    cluster: string,
    isToldAllocated: boolean,
  ): VisibleServices =>
    new Seen(
      services,
      { namespace, cluster, isToldAllocated },
      (one) => isServiceVisible(one, mesh, namespace),
      listForAll(services, mesh),
    ),
  1024,
);

/** The list of all readers, where each host is one service and for everybody. */
const listForAll = cached(
  (services: ObjectIndex<Service>, mesh: MeshConfig): readonly Service[] | undefined => {
    const list = sortedLists(services).flatMap(([first, ...more]) =>
      first !== undefined && more.length === 0 && isForAll(first, mesh) ? first : [],
    );
    return list.length === sortedLists(services).length ? list : undefined;
  },
);

function isForAll(service: Service, { defaultServiceExportTo }: MeshConfig): boolean {
  const exportTo = service.exportTo.length > 0 ? service.exportTo : defaultServiceExportTo;
  return exportTo.includes("*") && service.allocated === undefined;
}

/** The imported ones, and those that imported routing rules lead to. */
const seenThroughSidecar = cached(
  (
    services: ObjectIndex<Service>,
    rulesByDestination: ObjectIndex<VirtualService>,
    sidecar: Sidecar,
    mesh: MeshConfig,
    namespace: string,
    cluster: string,
    isToldAllocated: boolean,
  ): VisibleServices => {
    const hosts = egressListeners(sidecar, namespace).flatMap((listener) => listener.hosts);
    return new Seen(
      services,
      { namespace, cluster, isToldAllocated },
      (one) =>
        isServiceVisible(one, mesh, namespace) &&
        (importsService(hosts, one) ||
          lookup(rulesByDestination, one.host).some((rule) =>
            isRuleOfMesh(rule, mesh, namespace, sidecar),
          )),
    );
  },
  1024,
);

/** Whether a rule with hosts of its own is for sidecars of a namespace. */
function isRuleOfMesh(
  rule: VirtualService,
  mesh: MeshConfig,
  namespace: string,
  sidecar: Sidecar | undefined,
): boolean {
  return (
    (rule.spec.hosts ?? []).length > 0 &&
    isForMesh(rule) &&
    isRuleVisible(rule, mesh, namespace) &&
    (sidecar === undefined ||
      (rule.attachment === undefined ? importsRule : importsAttached)(
        egressListeners(sidecar, namespace).flatMap((listener) => listener.hosts),
        rule.namespace,
        hostsOf(rule, mesh.clusterDomain),
      ))
  );
}

function isForMesh(rule: VirtualService): boolean {
  const names = rule.spec.gateways ?? [];
  return names.length === 0 || names.includes("mesh");
}

/** All services by host, in the order of hosts; the same for all who see them. */
const sortedLists = cached((services: ObjectIndex<Service>): readonly (readonly Service[])[] =>
  [...services.lists.entries()]
    .toSorted(([left], [right]) => compareText(left, right))
    .map(([, candidates]) => candidates),
);

class Seen implements VisibleServices, ServicesByHost {
  readonly #services: ObjectIndex<Service>;
  readonly #reader: Reader;
  readonly #sees: (service: Service) => boolean;
  #list: readonly Service[] | undefined;

  /** `list` where it is known. */
  constructor(
    services: ObjectIndex<Service>,
    reader: Reader,
    sees: (service: Service) => boolean,
    list?: readonly Service[],
  ) {
    this.#list = list;
    this.#services = services;
    this.#reader = reader;
    this.#sees = sees;
  }

  get byHost(): ServicesByHost {
    return this;
  }

  get list(): readonly Service[] {
    this.#list ??= sortedLists(this.#services).flatMap(
      (candidates) => this.#choose(candidates) ?? [],
    );
    return this.#list;
  }

  get(host: Hostname): Service | undefined {
    return this.#choose(lookup(this.#services, host));
  }

  has(host: Hostname): boolean {
    return lookup(this.#services, host).some(this.#sees);
  }

  #choose(candidates: readonly Service[]): Service | undefined {
    const service = ofOneHost(candidates.filter(this.#sees), this.#reader);
    return service?.allocated !== undefined && this.#reader.isToldAllocated
      ? atAllocated(service)
      : service;
  }
}

interface Reader {
  readonly namespace: string;
  readonly cluster: string;
  readonly isToldAllocated: boolean;
}

/**
 * Of one host: the reader's own namespace first, then the order of the index. ServiceEntries of one
 * namespace that declare the same host are one service with the ports of all. A Service that several
 * clusters have is that of the reader's cluster, whose addresses he knows it by.
 */
function ofOneHost(candidates: readonly Service[], reader: Reader): Service | undefined {
  const first = candidates.find((one) => one.namespace === reader.namespace) ?? candidates[0];
  if (first === undefined || candidates.length === 1) return first;
  if (!first.source.startsWith("ServiceEntry/")) {
    return (
      candidates.find((one) => one.namespace === first.namespace && isIn(reader.cluster, one)) ??
      first
    );
  }
  const same = candidates.filter((one) => isPartOf(one, first));
  return same.length === 1 ? first : mergeServices(first, same);
}

function isPartOf(service: Service, first: Service): boolean {
  return (
    service === first ||
    (service.namespace === first.namespace &&
      service.resolution === first.resolution &&
      [service, first].every((one) => one.source.startsWith("ServiceEntry/")))
  );
}

const atAllocated = cached((service: Service): Service => ({
  ...service,
  addresses: [...service.addresses, ...(service.allocated ?? [])],
}));

const mergeServices = cached((first: Service, all: readonly Service[]): Service => {
  const ports = new Map(
    all.toReversed().flatMap((service) => service.ports.map((port) => [port.number, port])),
  );
  const allocated = [...new Set(all.flatMap((service) => service.allocated ?? []))];
  return {
    ...first,
    ports: [...ports.values()].toSorted((left, right) => left.number - right.number),
    addresses: [...new Set(all.flatMap((service) => service.addresses))],
    ...(allocated.length === 0 ? {} : { allocated }),
  };
});
