/**
 * What one scope sees of the world: services by host, and routing rules, after exportTo and
 * Sidecar.
 */

import { cached } from "./cached.ts";
import { egressListeners, importsRule, importsService } from "./egress.ts";
import type { MeshConfig } from "./mesh-config.ts";
import type { Hostname } from "./name.ts";
import { type Service, type Sidecar, type VirtualService, compareText } from "./object.ts";
import { type ObjectIndex, lookup } from "./object-index.ts";
import { ALL, type PushContext, destinationsOf, hostsOf, objectOf } from "./push-context.ts";
import type { ProxyScope } from "./scope.ts";
import { isRuleVisible, isServiceVisible } from "./visibility.ts";

/** Services of a scope, one a host, sorted by host. */
export interface VisibleServices {
  readonly list: readonly Service[];
  readonly byHost: ReadonlyMap<Hostname, Service>;
}

/** The services that proxies of a scope may call. */
export function visibleServices(context: PushContext, scope: ProxyScope): VisibleServices {
  const { services, virtualServicesByGateway } = context.indexes;
  const sidecar = sidecarOf(context, scope);
  if (sidecar === undefined) return seenByNamespace(services, context.mesh, scope.namespace);
  return seenThroughSidecar(
    services,
    virtualServicesByGateway,
    sidecar,
    context.mesh,
    scope.namespace,
  );
}

/** Routing rules for sidecars that a scope sees, oldest first. */
export function visibleVirtualServices(
  context: PushContext,
  scope: ProxyScope,
): readonly VirtualService[] {
  return rulesOfMesh(
    context.indexes.virtualServicesByGateway,
    context.mesh,
    scope.namespace,
    sidecarOf(context, scope),
  );
}

/** The Sidecar object of a scope. */
export function sidecarOf(context: PushContext, scope: ProxyScope): Sidecar | undefined {
  if (scope.sidecar === undefined) return undefined;
  const object = objectOf(context, scope.sidecar);
  return object?.kind === "Sidecar" ? object : undefined;
}

const seenByNamespace = cached(buildSeenByNamespace, 1024);
const seenThroughSidecar = cached(buildSeenThroughSidecar, 1024);
const rulesOfMesh = cached(buildRulesOfMesh, 1024);

function buildSeenByNamespace(
  services: ObjectIndex<Service>,
  mesh: MeshConfig,
  namespace: string,
): VisibleServices {
  const visible = lookup(services, ALL).filter((one) => isServiceVisible(one, mesh, namespace));
  return onePerHost(visible, namespace);
}

/** The imported ones, and those that imported routing rules lead to. */
function buildSeenThroughSidecar(
  services: ObjectIndex<Service>,
  virtualServices: ObjectIndex<VirtualService>,
  sidecar: Sidecar,
  mesh: MeshConfig,
  namespace: string,
): VisibleServices {
  const hosts = egressListeners(sidecar, namespace).flatMap((listener) => listener.hosts);
  const destinations = new Set<string>(
    rulesOfMesh(virtualServices, mesh, namespace, sidecar).flatMap((rule) =>
      destinationsOf(rule, mesh.clusterDomain),
    ),
  );
  const visible = lookup(services, ALL).filter(
    (one) =>
      isServiceVisible(one, mesh, namespace) &&
      (importsService(hosts, one) || destinations.has(one.host)),
  );
  return onePerHost(visible, namespace);
}

function buildRulesOfMesh(
  virtualServices: ObjectIndex<VirtualService>,
  mesh: MeshConfig,
  namespace: string,
  sidecar: Sidecar | undefined,
): readonly VirtualService[] {
  const visible = lookup(virtualServices, "mesh").filter(
    (rule) => (rule.spec.hosts ?? []).length > 0 && isRuleVisible(rule, mesh, namespace),
  );
  if (sidecar === undefined) return visible;
  const hosts = egressListeners(sidecar, namespace).flatMap((listener) => listener.hosts);
  return visible.filter((rule) =>
    importsRule(hosts, rule.namespace, hostsOf(rule, mesh.clusterDomain)),
  );
}

/**
 * Of one host: the reader's own namespace first, then the order of the index. ServiceEntries of one
 * namespace that declare the same host are one service with the ports of all.
 */
function onePerHost(services: readonly Service[], namespace: string): VisibleServices {
  const candidates = new Map<Hostname, Service[]>();
  for (const service of services) {
    const list = candidates.get(service.host);
    if (list === undefined) candidates.set(service.host, [service]);
    else list.push(service);
  }
  const byHost = new Map<Hostname, Service>();
  for (const [host, list] of candidates) {
    const first = list.find((one) => one.namespace === namespace) ?? list[0];
    if (first === undefined) continue;
    const same = list.filter((one) => isPartOf(one, first));
    byHost.set(host, same.length === 1 ? first : mergeServices(first, same));
  }
  const list = [...byHost.values()].toSorted((left, right) => compareText(left.host, right.host));
  return { list, byHost };
}

function isPartOf(service: Service, first: Service): boolean {
  return (
    service === first ||
    (service.namespace === first.namespace &&
      service.resolution === first.resolution &&
      [service, first].every((one) => one.source.startsWith("ServiceEntry/")))
  );
}

const mergeServices = cached((first: Service, all: readonly Service[]): Service => {
  const ports = new Map(
    all.toReversed().flatMap((service) => service.ports.map((port) => [port.number, port])),
  );
  return {
    ...first,
    ports: [...ports.values()].toSorted((left, right) => left.number - right.number),
    addresses: [...new Set(all.flatMap((service) => service.addresses))],
  };
});
