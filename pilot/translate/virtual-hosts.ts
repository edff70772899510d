/**
 * Virtual hosts of sidecars, host by host: those of routing rules, and plain ones for services.
 * Which of two that claim one domain has it is decided afterwards (`route-table.ts`).
 */

import { outboundCluster } from "#pilot/ir/name.ts";
import type { Origin } from "#pilot/ir/origin.ts";
import type { Route, RouteConfiguration, VirtualHost } from "#pilot/ir/route.ts";
import type { IrProblem } from "#pilot/ir/scope-ir.ts";
import { cached } from "#pilot/model/cached.ts";
import { covers, isWildcard } from "#pilot/model/host.ts";
import type { MeshConfig } from "#pilot/model/mesh-config.ts";
import type { Hostname } from "#pilot/model/name.ts";
import type { Service, VirtualService } from "#pilot/model/object.ts";
import { coveringKeys, lookup } from "#pilot/model/object-index.ts";
import { listenerKind } from "#pilot/model/protocol.ts";
import { type PushContext, hostsOf } from "#pilot/model/push-context.ts";
import type { OutboundScope } from "#pilot/model/scope.ts";
import { type VisibleServices, visibleRulesFor, visibleServices } from "#pilot/model/visible.ts";
import { policyFor, ruleFor } from "./destination-rule.ts";
import { domainsOf } from "./domains.ts";
import { routesOf } from "./http-route.ts";
import type { MergedRule } from "./merged-rule.ts";
import { isHttpLike, isSharedBind, portsOfService } from "./outbound-plan.ts";
import { originOf, reporter, type Translated } from "./result.ts";
import { retryPolicy } from "./retry.ts";
import { hashPolicies } from "./hash-policy.ts";

const MESH: readonly string[] = ["mesh"];

/** A virtual host in the configuration that all services of a port share. */
export interface PortHost {
  readonly port: number;
  readonly host: VirtualHost;
  /** It comes from a routing rule alone: nobody declares such a service on this port. */
  readonly ruleOnly: boolean;
}

/** What one host contributes to the route configurations of a scope. */
export interface HostRoutes {
  readonly shared: readonly PortHost[];
  /** Of its own, where the protocol is found out at the service's own address. */
  readonly own: readonly RouteConfiguration[];
  readonly problems: readonly IrProblem[];
}

/** Ports that have a shared configuration because of this host. */
export function portsOpenedBy(
  context: PushContext,
  scope: OutboundScope,
  host: Hostname,
): readonly number[] {
  const service = visibleServices(context, scope).byHost.get(host);
  if (service === undefined) return NO_PORTS;
  const shared = portsOfService(context, scope, service).filter(
    (one) => isHttpLike(one) && isSharedBind(one),
  );
  return [...new Set(shared.map((one) => one.port.number))];
}

const NO_PORTS: readonly number[] = [];

/** The routes of one host; only on open ports is something made for rules without a service. */
export function routesOfHost(
  context: PushContext,
  scope: OutboundScope,
  host: Hostname,
  openPorts: Iterable<number>,
): HostRoutes {
  const visible = visibleServices(context, scope);
  const { rules, problems } = rulesOf(context, scope, host);
  const shared: PortHost[] = [];
  const own: RouteConfiguration[] = [];
  const service = visible.byHost.get(host);
  const ports = httpPorts(visible, host);
  if (service !== undefined && ports.length > 0) {
    const isDecided = rules.some((rule) => rule.attachment?.port === undefined);
    const wildcard = isDecided ? undefined : wildcardRule(context, scope, host);
    const asked = wildcard === undefined ? rules : [...rules, wildcard];
    const sniffed = sniffedPorts(context, scope, service);
    for (const port of ports) {
      const made = hostOfService(context, scope, { service, port, rules: asked });
      problems.push(...made.problems);
      shared.push({ port, host: made.value, ruleOnly: false });
      if (sniffed.has(port)) own.push(ownConfiguration(service, port, made.value));
    }
  }
  const owner = rules.find((rule) => rule.attachment === undefined);
  if (owner !== undefined) {
    for (const port of openPorts) {
      if (isServiceOn(visible, host, port)) continue;
      if (!isGuessedPort(port, hostsOf(owner, context.mesh.clusterDomain), visible)) continue;
      const routes = routesOf(context, scope, owner, { gateways: MESH, port });
      problems.push(...routes.problems);
      if (routes.value.length === 0) continue;
      shared.push({ port, host: ruleHost(owner, host, port, routes.value), ruleOnly: true });
    }
  }
  return { shared, own, problems };
}

/**
 * The rules of a host, the first that has something for a port decides there. That is the oldest
 * that names the host, unless some are for single ports; later ones are told that they are shadowed.
 */
function rulesOf(
  context: PushContext,
  scope: OutboundScope,
  host: Hostname,
): { rules: readonly VirtualService[]; problems: IrProblem[] } {
  const all = httpRulesFor(context, scope, host);
  const last = all.findIndex((rule) => rule.attachment?.port === undefined);
  if (last < 0 || last === all.length - 1) return { rules: all, problems: [] };
  const rules = all.slice(0, last + 1);
  const [winner] = all.slice(last);
  const problems = all.slice(last + 1).flatMap((rule): IrProblem[] => {
    // Clients of other namespaces have it as it is meant.
    if (winner?.attachment !== undefined && winner.namespace !== rule.namespace) return [];
    const message = `sidecars route ${host} by the older ${originsOfRule(winner!)[0]?.object}`;
    const at = hostsOf(rule, context.mesh.clusterDomain).indexOf(host);
    return placesOfHost(rule, at).map((place) => ({
      ...place,
      severity: "warning",
      reason: "HostTaken",
      message,
    }));
  });
  return { rules, problems };
}

/** Where it is written that a rule is about its host number `at`. */
function placesOfHost(rule: VirtualService, at: number): readonly Origin[] {
  return rule.attachment?.parents ?? [originOf(rule.key, `spec.hosts[${at}]`)];
}

/** What virtual hosts of a rule come from. */
function originsOfRule(rule: VirtualService): readonly Origin[] {
  return rule.attachment?.parents ?? [originOf(rule.key, "spec.hosts")];
}

function httpRulesFor(
  context: PushContext,
  scope: OutboundScope,
  host: Hostname,
): readonly VirtualService[] {
  const rules = visibleRulesFor(context, scope, host);
  return rules.length === 0 ? rules : rules.filter((rule) => (rule.spec.http ?? []).length > 0);
}

function wildcardRule(
  context: PushContext,
  scope: OutboundScope,
  host: Hostname,
): VirtualService | undefined {
  const [, ...wildcards] = coveringKeys(context.indexes.virtualServicesByHost, host);
  for (const name of wildcards) {
    // What is attached to a wildcard is about that service alone.
    const rule = httpRulesFor(context, scope, name).find((one) => one.attachment === undefined);
    if (rule !== undefined) return rule;
  }
  return undefined;
}

/** Ports of a host where requests are told apart; an alias stands behind the service it names. */
function httpPorts(visible: VisibleServices, host: Hostname): readonly number[] {
  const service = visible.byHost.get(host);
  if (service === undefined) return NO_PORTS;
  if (service.aliasOf !== undefined && visible.byHost.has(service.aliasOf)) return NO_PORTS;
  return httpPortsOf(service);
}

const httpPortsOf = cached(
  (service: Service): readonly number[] => [
    ...new Set(
      service.ports
        .filter((port) => listenerKind(port.protocol) !== "tcp")
        .map((port) => port.number),
    ),
  ],
  1,
);

function isServiceOn(visible: VisibleServices, host: Hostname, port: number): boolean {
  return isWildcard(host)
    ? portsUnder(visible, host).has(port)
    : httpPorts(visible, host).includes(port);
}

/**
 * Where hosts of a rule that are no services can be called: on port 80, and on ports where another
 * host of the same rule is a service (Istio's way of guessing the port of a host nobody declared).
 */
function isGuessedPort(
  port: number,
  hosts: readonly Hostname[],
  visible: VisibleServices,
): boolean {
  return port === 80 || hosts.some((host) => isServiceOn(visible, host, port));
}

/** Ports of all services that a wildcard covers. */
const portsUnder = cached((visible: VisibleServices, wildcard: Hostname): ReadonlySet<number> => {
  const under = visible.list.filter((service) => covers(wildcard, service.host));
  return new Set(under.flatMap((service) => httpPorts(visible, service.host)));
});

function sniffedPorts(
  context: PushContext,
  scope: OutboundScope,
  service: Service,
): ReadonlySet<number> {
  const planned = portsOfService(context, scope, service).filter(
    (one) => isHttpLike(one) && !isSharedBind(one) && one.binds.length > 0,
  );
  return new Set(planned.map((one) => one.port.number));
}

const ownConfiguration = cached(
  (service: Service, port: number, host: VirtualHost): RouteConfiguration => ({
    name: `${service.host}:${port}`,
    virtualHosts: [{ ...host, domains: ["*"] }],
    ignorePort: true,
    origins: [originOf(service.source)],
  }),
);

const ruleHost = cached(
  (rule: VirtualService, host: Hostname, port: number, routes: readonly Route[]): VirtualHost => ({
    name: `${host}:${port}`,
    domains: [host.includes(":") ? `[${host}]` : host],
    routes,
    requireTls: false,
    origins: originsOfRule(rule),
  }),
);

/** The virtual host of a service's port: routed by the first rule for it, else straight to it. */
function hostOfService(
  context: PushContext,
  scope: OutboundScope,
  at: {
    readonly service: Service;
    readonly port: number;
    readonly rules: readonly VirtualService[];
  },
): Translated<VirtualHost> {
  const { service, port, rules } = at;
  const problems: IrProblem[] = [];
  let routes: readonly Route[] = [];
  let rule: VirtualService | undefined;
  for (const one of rules) {
    const made = routesOf(context, scope, one, { gateways: MESH, port });
    problems.push(...made.problems);
    routes = made.value;
    rule = one;
    if (routes.length > 0) break;
  }
  const empty = routes.length === 0;
  const host = plainHost(
    service,
    port,
    domainsFor(context, scope, service),
    context.mesh,
    empty ? undefined : rule,
    empty ? undefined : routes,
    empty ? ruleFor(context, scope, service) : undefined,
  );
  return { value: host, problems };
}

/** Callers of other namespaces have the same names for a service: they share its virtual hosts. */
function domainsFor(
  context: PushContext,
  scope: OutboundScope,
  service: Service,
): readonly string[] {
  const { clusterDomain } = context.mesh;
  const named = lookup(context.indexes.servicesByAliasOf, service.host);
  const visible = visibleServices(context, scope).byHost;
  const aliases =
    named.length === 0
      ? NO_ALIASES
      : [...new Set(named.map((one) => one.host))].filter(
          (host) => visible.get(host)?.aliasOf === service.host,
        );
  const suffix = `.${scope.namespace}.svc.${clusterDomain}`;
  const isLocal = [service.host, ...aliases].some((host) => host.endsWith(suffix));
  return domainsIn(service, aliases, isLocal ? scope.namespace : "", clusterDomain);
}

/** The list keeps its identity, by which hosts that differ in routes only keep their places. */
const domainsIn = cached(
  (
    service: Service,
    aliases: readonly Hostname[],
    namespace: string,
    clusterDomain: string,
  ): readonly string[] => domainsOf(service, aliases, { namespace, clusterDomain }),
  1024,
);

const NO_ALIASES: readonly Hostname[] = [];

const plainHost = cached(
  (
    service: Service,
    port: number,
    domains: readonly string[],
    mesh: MeshConfig,
    rule: VirtualService | undefined,
    routes: readonly Route[] | undefined,
    destinationRule: MergedRule | undefined,
  ): VirtualHost => ({
    name: `${service.host}:${port}`,
    domains,
    routes: routes ?? [straightTo(service, port, mesh, destinationRule)],
    requireTls: false,
    origins: [originOf(service.source), ...(rule === undefined ? [] : originsOfRule(rule))],
  }),
  128,
);

/** The route of a service without rules. */
function straightTo(
  service: Service,
  port: number,
  mesh: MeshConfig,
  rule: MergedRule | undefined,
): Route {
  const report = reporter(service.source);
  const hash = hashPolicies(policyFor(rule, port, mesh), report);
  const retry = retryPolicy(undefined, mesh, report, "");
  return {
    name: "default",
    match: { path: { kind: "prefix", value: "/" }, headers: [], query: [] },
    action: {
      kind: "forward",
      clusters: [
        {
          cluster: outboundCluster(service.host, port),
          weight: 1,
          origins: [originOf(service.source)],
        },
      ],
      timeoutMs: 0,
      ...(retry === undefined
        ? {}
        : { retry: hash.length > 0 ? { ...retry, avoidPreviousHosts: false } : retry }),
      mirrors: [],
      hash,
    },
    operation: `${service.host}:${port}/*`,
    origins: [originOf(service.source)],
  };
}
