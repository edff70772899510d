/** Virtual hosts of sidecars for one port: those of routing rules, then plain ones for services. */

import { outboundCluster } from "#pilot/ir/name.ts";
import type { Route, VirtualHost } from "#pilot/ir/route.ts";
import type { IrProblem } from "#pilot/ir/scope-ir.ts";
import { cached } from "#pilot/model/cached.ts";
import { isWildcard, covers, wildcardsOf } from "#pilot/model/host.ts";
import type { MeshConfig } from "#pilot/model/mesh-config.ts";
import type { Hostname } from "#pilot/model/name.ts";
import { type Service, type VirtualService, compareText } from "#pilot/model/object.ts";
import { listenerKind } from "#pilot/model/protocol.ts";
import { type PushContext, hostsOf } from "#pilot/model/push-context.ts";
import type { OutboundScope } from "#pilot/model/scope.ts";
import {
  type VisibleServices,
  visibleServices,
  visibleVirtualServices,
} from "#pilot/model/visible.ts";
import { policyFor, ruleFor } from "./destination-rule.ts";
import type { MergedRule } from "./merged-rule.ts";
import { domainsOf } from "./domains.ts";
import { type HostEntry, epochOf } from "./epoch.ts";
import { readsElsewhere, routesOf } from "./http-route.ts";
import { reporter, type Translated, originOf } from "./result.ts";
import { retryPolicy } from "./retry.ts";
import { hashPolicies } from "./hash-policy.ts";

const MESH: readonly string[] = ["mesh"];

/** HTTP-capable services by port, by host; aliases stand behind the services that they name. */
export interface HttpPorts {
  readonly byPort: ReadonlyMap<number, readonly Service[]>;
  readonly aliases: ReadonlyMap<Hostname, readonly Hostname[]>;
}

export const httpPorts = cached((visible: VisibleServices): HttpPorts => {
  const byPort = new Map<number, Service[]>();
  const aliases = new Map<Hostname, Hostname[]>();
  for (const service of visible.list) {
    if (service.aliasOf !== undefined && visible.byHost.has(service.aliasOf)) {
      aliases.set(service.aliasOf, [...(aliases.get(service.aliasOf) ?? []), service.host]);
      continue;
    }
    for (const port of service.ports) {
      if (listenerKind(port.protocol) === "tcp") continue;
      const list = byPort.get(port.number);
      if (list === undefined) byPort.set(port.number, [service]);
      else if (list.at(-1) !== service) list.push(service);
    }
  }
  return { byPort, aliases };
}, 1);

/** The rule of each host: the oldest that names it. Later ones are told that they are shadowed. */
interface RuleIndex {
  readonly byHost: ReadonlyMap<string, VirtualService>;
  readonly hasWildcards: boolean;
  readonly problems: readonly IrProblem[];
}

const indexOwners = new WeakMap<readonly VirtualService[], RuleIndex>();

function ruleIndex(rules: readonly VirtualService[], clusterDomain: string): RuleIndex {
  const known = indexOwners.get(rules);
  if (known !== undefined) return known;
  const byHost = new Map<string, VirtualService>();
  const problems: IrProblem[] = [];
  for (const rule of rules) {
    if ((rule.spec.http ?? []).length === 0) continue;
    for (const [at, host] of hostsOf(rule, clusterDomain).entries()) {
      const first = byHost.get(host);
      if (first === undefined) byHost.set(host, rule);
      else if (first !== rule) {
        problems.push({
          object: rule.key,
          path: `spec.hosts[${at}]`,
          severity: "warning",
          reason: "HostTaken",
          message: `sidecars route ${host} by the older ${first.key}`,
        });
      }
    }
  }
  const hasWildcards = [...byHost.keys()].some(isWildcard);
  const index = { byHost, hasWildcards, problems };
  indexOwners.set(rules, index);
  return index;
}

/** Virtual hosts of a port, by name, with every domain in one place only. */
export function virtualHostsOfPort(
  context: PushContext,
  scope: OutboundScope,
  port: number,
): Translated<readonly VirtualHost[]> {
  const visible = visibleServices(context, scope);
  const services = httpPorts(visible).byPort.get(port) ?? [];
  const rules = visibleVirtualServices(context, scope);
  const index = ruleIndex(rules, context.mesh.clusterDomain);
  const problems: IrProblem[] = [...index.problems];
  const hosts: VirtualHost[] = [];
  for (const made of hostsOfRules(context, scope, { rules, services, port, index })) {
    problems.push(...made.problems);
    hosts.push(...made.value);
  }
  const { hosts: known } = epochOf(context, scope);
  for (const service of services) {
    const made = hostOfService(context, scope, { service, port, index, known });
    problems.push(...made.problems);
    hosts.push(made.value);
  }
  const places = arrange(
    visible,
    hosts.map((host) => host.name),
    hosts.map((host) => host.domains),
  );
  const value = places.map(({ at, domains }) => withDomains(hosts[at]!, domains));
  return { value, problems };
}

/** The order of virtual hosts by name, and the domains that no earlier one has taken. */
const arrange = cached(
  (
    _visible: VisibleServices,
    names: readonly string[],
    domains: readonly (readonly string[])[],
  ): readonly { readonly at: number; readonly domains: readonly string[] }[] => {
    const taken = new Set<string>();
    const places = domains.map((own, at) => {
      const free = own.filter((domain) => !taken.has(domain.toLowerCase()));
      for (const domain of free) taken.add(domain.toLowerCase());
      return { at, domains: free.length === own.length ? own : free };
    });
    const nameAt = (at: number): string => names[at] ?? "";
    return places
      .filter((place) => place.domains.length > 0)
      .toSorted((left, right) => compareText(nameAt(left.at), nameAt(right.at)));
  },
  64,
);

const withDomains = cached((host: VirtualHost, domains: readonly string[]): VirtualHost =>
  domains === host.domains ? host : { ...host, domains },
);

interface RulesOfPort {
  readonly rules: readonly VirtualService[];
  readonly services: readonly Service[];
  readonly port: number;
  readonly index: RuleIndex;
}

/**
 * Virtual hosts for hosts of rules that are no services: on port 80, and on ports where another
 * host of the same rule is a service (Istio's way of guessing the port of a host nobody declared).
 */
function* hostsOfRules(
  context: PushContext,
  scope: OutboundScope,
  { rules, services, port, index }: RulesOfPort,
): Generator<Translated<readonly VirtualHost[]>> {
  const known = new Set<string>(services.map((service) => service.host));
  for (const rule of rules) {
    const all = hostsOf(rule, context.mesh.clusterDomain);
    const isService = (host: Hostname): boolean =>
      known.has(host) ||
      (isWildcard(host) && services.some((service) => covers(host, service.host)));
    const own = all.filter((host) => !isService(host) && index.byHost.get(host) === rule);
    if (own.length === 0 || (port !== 80 && own.length === all.length)) continue;
    const routes = routesOf(context, scope, rule, { gateways: MESH, port });
    yield {
      problems: routes.problems,
      value:
        routes.value.length === 0
          ? []
          : own.map((host) => ruleHost(rule, host, port, routes.value)),
    };
  }
}

const ruleHost = cached(
  (rule: VirtualService, host: Hostname, port: number, routes: readonly Route[]): VirtualHost => ({
    name: `${host}:${port}`,
    domains: [host.includes(":") ? `[${host}]` : host],
    routes,
    requireTls: false,
    origins: [originOf(rule.key, "spec.hosts")],
  }),
);

/** The virtual host of a service's port: routed by the most specific rule, else straight to it. */
export function serviceVirtualHost(
  context: PushContext,
  scope: OutboundScope,
  service: Service,
  port: number,
): Translated<VirtualHost> {
  const index = ruleIndex(visibleVirtualServices(context, scope), context.mesh.clusterDomain);
  const { hosts: known } = epochOf(context, scope);
  return hostOfService(context, scope, { service, port, index, known });
}

interface HostInput {
  readonly service: Service;
  readonly port: number;
  readonly index: RuleIndex;
  readonly known: Map<Service, Map<number, HostEntry>>;
}

function hostOfService(
  context: PushContext,
  scope: OutboundScope,
  { service, port, index, known }: HostInput,
): Translated<VirtualHost> {
  const rule = ruleOfHost(index, service.host);
  const isStable = rule === undefined || !readsElsewhere(rule);
  const ports = known.get(service) ?? new Map<number, HostEntry>();
  known.set(service, ports);
  const entry = ports.get(port);
  if (isStable && entry !== undefined && entry.rule === rule) return entry.host;
  const host = buildServiceHost(context, scope, { service, port, rule });
  if (isStable) ports.set(port, { rule, host });
  return host;
}

function ruleOfHost(index: RuleIndex, host: Hostname): VirtualService | undefined {
  const exact = index.byHost.get(host);
  if (exact !== undefined || !index.hasWildcards) return exact;
  return wildcardsOf(host)
    .map((name) => index.byHost.get(name))
    .find((one) => one !== undefined);
}

function buildServiceHost(
  context: PushContext,
  scope: OutboundScope,
  at: {
    readonly service: Service;
    readonly port: number;
    readonly rule: VirtualService | undefined;
  },
): Translated<VirtualHost> {
  const { service, port, rule } = at;
  const aliases =
    httpPorts(visibleServices(context, scope)).aliases.get(service.host) ?? NO_ALIASES;
  const routed =
    rule === undefined ? undefined : routesOf(context, scope, rule, { gateways: MESH, port });
  const empty = routed === undefined || routed.value.length === 0;
  const host = plainHost(
    service,
    port,
    domainsIn(service, aliases, scope.namespace, context.mesh.clusterDomain),
    context.mesh,
    empty ? undefined : rule,
    empty ? undefined : routed.value,
    empty ? ruleFor(context, scope, service) : undefined,
  );
  return { value: host, problems: routed?.problems ?? [] };
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
    origins: [
      originOf(service.source),
      ...(rule === undefined ? [] : [originOf(rule.key, "spec.hosts")]),
    ],
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
