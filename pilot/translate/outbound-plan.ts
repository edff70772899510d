/** Which outbound listeners a scope has, before any of them is built. */

import { isIP } from "node:net";
import { cached } from "#pilot/model/cached.ts";
import { canonicalCidr } from "#pilot/model/cidr.ts";
import { type EgressListener, egressListeners, importsService } from "#pilot/model/egress.ts";
import type { Service, ServicePort, Sidecar } from "#pilot/model/object.ts";
import { listenerKind } from "#pilot/model/protocol.ts";
import type { PushContext } from "#pilot/model/push-context.ts";
import type { OutboundScope } from "#pilot/model/scope.ts";
import { sidecarOf, visibleServices } from "#pilot/model/visible.ts";
import { endpointSetsOf } from "./endpoints.ts";

export interface PlannedPort {
  readonly service: Service;
  readonly port: ServicePort;
  /** Where connections arrive: `0.0.0.0` for any address. */
  readonly binds: readonly string[];
  /** Ranges that only a match on the destination can tell apart on a shared listener. */
  readonly ranges: readonly string[];
  /** A Sidecar says where: connections come there by themselves, or are for that address. */
  readonly bound?: { readonly bindToPort: boolean };
}

/** Wildcard address of shared listeners. */
export const ANY = "0.0.0.0";

/** Every port of a scope, oldest service first: where two want the same, the first has it. */
export function outboundListenerPlan(
  context: PushContext,
  scope: OutboundScope,
): readonly PlannedPort[] {
  const { list } = visibleServices(context, scope);
  if (sidecarOf(context, scope) === undefined && isPlain(list)) return planOf(list);
  return byAgeOf(list).flatMap((service) => portsOfService(context, scope, service));
}

/** What listeners of these services are is a matter of the services alone. */
const isPlain = cached(
  (services: readonly Service[]): boolean =>
    services.every(({ headless, aliasOf }) => !headless && aliasOf === undefined),
  1,
);

const planOf = cached(
  (services: readonly Service[]): readonly PlannedPort[] =>
    byAgeOf(services).flatMap((service) => plan(service, undefined, "", undefined)),
  1,
);

const byAgeOf = cached(
  (services: readonly Service[]): readonly Service[] => services.toSorted(byAge),
  1,
);

/** What listeners are to have for a service; nothing for an alias of one that the scope sees. */
export function portsOfService(
  context: PushContext,
  scope: OutboundScope,
  service: Service,
): readonly PlannedPort[] {
  const { byHost } = visibleServices(context, scope);
  if (service.aliasOf !== undefined && byHost.has(service.aliasOf)) return NO_PORTS;
  const sidecar = sidecarOf(context, scope);
  return plan(
    service,
    sidecar,
    sidecar === undefined ? "" : scope.namespace,
    service.headless ? endpointAddresses(context, scope, service) : undefined,
  );
}

const NO_PORTS: readonly PlannedPort[] = [];

/** Whether requests are told apart there, at least where they turn out to be some. */
export function isHttpLike({ port }: PlannedPort): boolean {
  return listenerKind(port.protocol) !== "tcp";
}

/** Whether all services of the port's number share a listener. */
export function isSharedBind({ binds, bound }: PlannedPort): boolean {
  return binds[0] === ANY || bound !== undefined;
}

/** A gateway of another network is no address that a client would call. */
function endpointAddresses(
  context: PushContext,
  scope: OutboundScope,
  service: Service,
): readonly string[] {
  const all = endpointSetsOf(context, scope, service).flatMap((set) =>
    set.endpoints
      .filter((one) => one.health === "healthy" && one.gatewayOf === undefined)
      .map((one) => one.address)
      .filter((address) => isIP(address) !== 0),
  );
  return [...new Set(all)].toSorted();
}

const plan = cached(
  (
    service: Service,
    sidecar: Sidecar | undefined,
    namespace: string,
    pods: readonly string[] | undefined,
  ): readonly PlannedPort[] => {
    const listeners = sidecar === undefined ? [] : egressListeners(sidecar, namespace);
    return service.ports
      .filter((port) => port.protocol !== "UDP" && allowsPort(listeners, service, port.number))
      .map((port) => {
        const listener = listenerFor(listeners, service, port.number);
        return boundTo(listener, planPort(service, port, pods));
      });
  },
);

function byAge(left: Service, right: Service): number {
  if (left.creationTimestamp !== right.creationTimestamp) {
    return left.creationTimestamp < right.creationTimestamp ? -1 : 1;
  }
  return left.host < right.host ? -1 : 1;
}

/**
 * Declared HTTP is told apart by host and shares a listener. Everything else is told apart by
 * address: the service's own, those of a headless service's endpoints, or its ranges.
 */
function planPort(
  service: Service,
  port: ServicePort,
  pods: readonly string[] | undefined,
): PlannedPort {
  const shared = { service, port, binds: [ANY], ranges: [] };
  if (listenerKind(port.protocol) === "http") return shared;
  if (pods !== undefined) return { service, port, binds: pods, ranges: [] };
  const single = service.addresses.filter((address) => !address.includes("/"));
  if (single.length > 0) return { service, port, binds: single, ranges: [] };
  const ranges = service.addresses.map(canonicalCidr).filter((range) => range !== undefined);
  return { ...shared, ranges };
}

/** A Sidecar's egress listener with a port is about that port of its hosts only. */
function allowsPort(listeners: readonly EgressListener[], service: Service, port: number): boolean {
  const about = listeners.filter(({ hosts }) => importsService(hosts, service));
  return about.length === 0 || about.some((one) => isAbout(one, port));
}

/** Of those about a service's port, one that names it comes before one for all. */
function listenerFor(
  listeners: readonly EgressListener[],
  service: Service,
  port: number,
): EgressListener | undefined {
  const about = listeners.filter((one) => isAbout(one, port) && importsService(one.hosts, service));
  return about.find((one) => one.port !== undefined) ?? about[0];
}

function isAbout(listener: EgressListener, port: number): boolean {
  return listener.port === undefined || listener.port.number === port;
}

const LOOPBACK = "127.0.0.1";

/** What the listener says of the address (Istio, "IstioEgressListener": bind, captureMode). */
function boundTo(listener: EgressListener | undefined, planned: PlannedPort): PlannedPort {
  if (listener === undefined) return planned;
  const bindToPort = listener.capture === "NONE" || listener.bind.startsWith("unix://");
  if (listener.bind === "" && !bindToPort) return planned;
  const address = listener.bind === "" ? LOOPBACK : listener.bind;
  return { ...planned, binds: [address], bound: { bindToPort } };
}
