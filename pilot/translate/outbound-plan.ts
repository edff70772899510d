/** Which outbound listeners a scope has, before any of them is built. */

import { cached } from "#pilot/model/cached.ts";
import { canonicalCidr } from "#pilot/model/cidr.ts";
import { type EgressHost, egressListeners, importsService } from "#pilot/model/egress.ts";
import type { Service, ServicePort, Sidecar } from "#pilot/model/object.ts";
import { listenerKind } from "#pilot/model/protocol.ts";
import type { PushContext } from "#pilot/model/push-context.ts";
import type { OutboundScope } from "#pilot/model/scope.ts";
import { type VisibleServices, sidecarOf, visibleServices } from "#pilot/model/visible.ts";
import { endpointSetsOf } from "./endpoints.ts";

export interface PlannedPort {
  readonly service: Service;
  readonly port: ServicePort;
  /** Where connections arrive: `0.0.0.0` for any address. */
  readonly binds: readonly string[];
  /** Ranges that only a match on the destination can tell apart on a shared listener. */
  readonly ranges: readonly string[];
}

export interface OutboundPlan {
  /** Ports whose requests are told apart by host. */
  readonly httpPorts: readonly number[];
  /** Ports of one service at its own address, where the protocol is found out. */
  readonly sniffed: readonly { readonly service: Service; readonly port: number }[];
  /** Every port, oldest service first: where two want the same, the first has it. */
  readonly ports: readonly PlannedPort[];
}

/** Wildcard address of shared listeners. */
export const ANY = "0.0.0.0";

export function outboundListenerPlan(context: PushContext, scope: OutboundScope): OutboundPlan {
  const visible = visibleServices(context, scope);
  const headless = headlessOf(visible);
  const addresses = headless.map((service) => endpointAddresses(context, service));
  return plan(visible, sidecarOf(context, scope), scope.namespace, headless, addresses);
}

const headlessOf = cached(
  (visible: VisibleServices): readonly Service[] =>
    visible.list.filter((service) => service.headless),
  1,
);

function endpointAddresses(context: PushContext, service: Service): readonly string[] {
  const all = endpointSetsOf(context, service).flatMap((set) =>
    set.endpoints.filter((one) => one.health === "healthy").map((one) => one.address),
  );
  return [...new Set(all)].toSorted();
}

const plan = cached(
  (
    visible: VisibleServices,
    sidecar: Sidecar | undefined,
    namespace: string,
    headless: readonly Service[],
    addresses: readonly (readonly string[])[],
  ): OutboundPlan => {
    const podAddresses = new Map(headless.map((service, at) => [service, addresses[at] ?? []]));
    const limits = portLimits(sidecar, namespace);
    const ports: PlannedPort[] = [];
    for (const service of [...visible.list].toSorted(byAge)) {
      if (service.aliasOf !== undefined && visible.byHost.has(service.aliasOf)) continue;
      for (const port of service.ports) {
        if (port.protocol === "UDP" || !allowsPort(limits, service, port.number)) continue;
        ports.push(planPort(service, port, podAddresses.get(service)));
      }
    }
    const isShared = (one: PlannedPort): boolean => one.binds[0] === ANY;
    const httpLike = ports.filter((one) => listenerKind(one.port.protocol) !== "tcp");
    const httpPorts = new Set(httpLike.filter(isShared).map((one) => one.port.number));
    return {
      httpPorts: [...httpPorts].toSorted((left, right) => left - right),
      sniffed: httpLike
        .filter((one) => !isShared(one) && one.binds.length > 0)
        .map((one) => ({ service: one.service, port: one.port.number })),
      ports,
    };
  },
  4,
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

interface PortLimit {
  readonly hosts: readonly EgressHost[];
  readonly port: number | undefined;
}

function portLimits(sidecar: Sidecar | undefined, namespace: string): readonly PortLimit[] {
  if (sidecar === undefined) return [];
  const listeners = egressListeners(sidecar, namespace);
  if (listeners.every((listener) => listener.port === undefined)) return [];
  return listeners.map(({ hosts, port }) => ({ hosts, port: port?.number }));
}

/** A Sidecar's egress listener with a port is about that port of its hosts only. */
function allowsPort(limits: readonly PortLimit[], service: Service, port: number): boolean {
  if (limits.length === 0) return true;
  const limit = limits.filter(({ hosts }) => importsService(hosts, service));
  return limit.length === 0 || limit.some((one) => one.port === undefined || one.port === port);
}
