/** Virtual hosts of sidecars for one port: those of routing rules, then plain ones for services. */

import { outboundCluster } from "#pilot/ir/name.ts";
import type { Route, VirtualHost } from "#pilot/ir/route.ts";
import type { IrProblem } from "#pilot/ir/scope-ir.ts";
import { cached } from "#pilot/model/cached.ts";
import { isWildcard, covers, wildcardsOf } from "#pilot/model/host.ts";
import type { MeshConfig } from "#pilot/model/mesh-config.ts";
import type { Hostname } from "#pilot/model/name.ts";
import type { Service, VirtualService } from "#pilot/model/object.ts";
import { listenerKind } from "#pilot/model/protocol.ts";
import { type PushContext, hostsOf } from "#pilot/model/push-context.ts";
import type { OutboundScope } from "#pilot/model/scope.ts";
import {
  type VisibleServices,
  visibleServices,
  visibleVirtualServices,
} from "#pilot/model/visible.ts";
import { type MergedRule, policyFor, ruleFor } from "./destination-rule.ts";
import { domainsOf } from "./domains.ts";
import { routesOf } from "./http-route.ts";
import { reporter, type Translated, originOf } from "./result.ts";
import { retryPolicy } from "./retry.ts";
import { hashPolicies } from "./traffic-policy.ts";

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
  const index = { byHost, problems };
  indexOwners.set(rules, index);
  return index;
}

/** Virtual hosts of a port with every domain in one place only; services in the order of hosts. */
export function virtualHostsOfPort(
  context: PushContext,
  scope: OutboundScope,
  port: number,
): Translated<readonly VirtualHost[]> {
  const visible = visibleServices(context, scope);
  const ports = httpPorts(visible);
  const services = ports.byPort.get(port) ?? [];
  const rules = visibleVirtualServices(context, scope);
  const index = ruleIndex(rules, context.mesh.clusterDomain);
  const problems: IrProblem[] = [...index.problems];
  const taken = new Set<string>();
  const hosts: VirtualHost[] = [];
  const add = (host: VirtualHost): void => {
    const free = host.domains.filter((domain) => !taken.has(domain.toLowerCase()));
    for (const domain of free) taken.add(domain.toLowerCase());
    if (free.length > 0) hosts.push(withDomains(host, free));
  };
  for (const made of hostsOfRules(context, scope, { rules, services, port, index })) {
    problems.push(...made.problems);
    for (const host of made.value) add(host);
  }
  for (const service of services) {
    const made = serviceVirtualHost(context, scope, service, port);
    problems.push(...made.problems);
    add(made.value);
  }
  hosts.sort((left, right) => (left.name < right.name ? -1 : 1));
  return { value: hosts, problems };
}

const withDomains = cached((host: VirtualHost, domains: readonly string[]): VirtualHost =>
  domains.length === host.domains.length ? host : { ...host, domains },
);

interface RulesOfPort {
  readonly rules: readonly VirtualService[];
  readonly services: readonly Service[];
  readonly port: number;
  readonly index: RuleIndex;
}

/**
 * Virtual hosts for hosts of rules that are no services: on port 80, and on ports where another host
 * of the same rule is a service (Istio's way of guessing the port of a host nobody declared).
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
  const visible = visibleServices(context, scope);
  const aliases = httpPorts(visible).aliases.get(service.host) ?? NO_ALIASES;
  const rules = visibleVirtualServices(context, scope);
  const { byHost } = ruleIndex(rules, context.mesh.clusterDomain);
  const rule = [service.host, ...wildcardsOf(service.host)]
    .map((name) => byHost.get(name))
    .find((one) => one !== undefined);
  const routed =
    rule === undefined ? undefined : routesOf(context, scope, rule, { gateways: MESH, port });
  const empty = routed === undefined || routed.value.length === 0;
  const host = plainHost(
    service,
    port,
    aliases,
    scope.namespace,
    context.mesh,
    empty ? undefined : rule,
    empty ? undefined : routed.value,
    empty ? ruleFor(context, scope, service) : undefined,
  );
  return { value: host, problems: routed?.problems ?? [] };
}

const NO_ALIASES: readonly Hostname[] = [];

const plainHost = cached(
  (
    service: Service,
    port: number,
    aliases: readonly Hostname[],
    namespace: string,
    mesh: MeshConfig,
    rule: VirtualService | undefined,
    routes: readonly Route[] | undefined,
    destinationRule: MergedRule | undefined,
  ): VirtualHost => ({
    name: `${service.host}:${port}`,
    domains: domainsOf(service, aliases, { namespace, clusterDomain: mesh.clusterDomain }),
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
  const hash = hashPolicies(policyFor(rule, port), report);
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
