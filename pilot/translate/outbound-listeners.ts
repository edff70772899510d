/**
 * Outbound listeners of sidecars. Redirected connections enter at 15001, which hands each over to
 * the listener of its original destination: `ADDRESS_PORT` where the service has an address of its
 * own, else `0.0.0.0_PORT`; what finds none passes through or is closed.
 */

import type { ChainMatch, FilterChain, Listener } from "#pilot/ir/listener.ts";
import { outboundCluster } from "#pilot/ir/name.ts";
import { type Origin, mergeOrigins } from "#pilot/ir/origin.ts";
import type { IrProblem } from "#pilot/ir/scope-ir.ts";
import { cached } from "#pilot/model/cached.ts";
import type { MeshConfig } from "#pilot/model/mesh-config.ts";
import type { Hostname } from "#pilot/model/name.ts";
import { type Service, type VirtualService, compareText } from "#pilot/model/object.ts";
import { coveringKeys } from "#pilot/model/object-index.ts";
import { isTls, listenerKind } from "#pilot/model/protocol.ts";
import { type PushContext, destinationsOf, hasConnectionRules } from "#pilot/model/push-context.ts";
import type { OutboundScope } from "#pilot/model/scope.ts";
import { visibleRulesFor, visibleServices } from "#pilot/model/visible.ts";
import { DNS_CACHE } from "./catch-all-clusters.ts";
import { ruleFor } from "./destination-rule.ts";
import { type Taken, freeParts } from "./free-chains.ts";
import type { Destinations } from "./http-action.ts";
import { type L4Route, tcpRoutes, tlsRoutes } from "./l4-route.ts";
import { type Observed, observationOf } from "./observation.ts";
import { askingListener } from "./on-demand.ts";
import { ANY, type PlannedPort, isSharedBind, outboundListenerPlan } from "./outbound-plan.ts";
import { egressProblems, egressProxy, outboundPolicy } from "./outbound-policy.ts";
import { pathFields } from "./path-normalization.ts";
import { type Translated, originOf } from "./result.ts";
import { type TcpPolicy, policyOfRoute, tcpPolicy } from "./tcp-policy.ts";
import { type Rest, unmatched, virtualOutbound } from "./virtual-outbound.ts";

const PLAIN_HTTP: ChainMatch = { transport: "plain", applicationProtocols: ["http/1.1", "h2c"] };

/** What services want of one address and port. */
interface Draft {
  readonly address: string;
  readonly port: number;
  additional: readonly string[];
  /** Connections come by themselves. */
  bindToPort: boolean;
  /** Name of the route configuration of requests. */
  routes?: string;
  /** Some cluster behind it resolves hosts on request. */
  resolves: boolean;
  /** Connections that aren't requests; the one without a match is the rest. */
  readonly chains: FilterChain[];
  readonly taken: Taken;
  readonly origins: Origin[];
}

/** All outbound listeners of a scope. */
export function translateOutboundListeners(
  context: PushContext,
  scope: OutboundScope,
): Translated<readonly Listener[]> {
  const problems: IrProblem[] = [];
  const drafts = new Map<string, Draft>();
  for (const planned of outboundListenerPlan(context, scope)) {
    const { service, port } = planned;
    const http = listenerKind(port.protocol) !== "tcp";
    const chains =
      listenerKind(port.protocol) === "http"
        ? { value: [], problems: [] }
        : connectionChains(context, scope, planned);
    problems.push(...chains.problems);
    const [first, ...more] = planned.binds;
    if (first === undefined) continue;
    const groups = service.headless ? planned.binds.map((one) => [one]) : [[first, ...more]];
    for (const [address = ANY, ...additional] of groups) {
      const draft = draftAt(drafts, address, port.number);
      draft.additional = additional;
      draft.bindToPort ||= planned.bound?.bindToPort === true;
      draft.origins.push(sourceOf(service));
      draft.resolves ||= service.resolution === "dns-on-request";
      if (http) {
        draft.routes ??= isSharedBind(planned)
          ? String(port.number)
          : `${service.host}:${port.number}`;
      }
      addChains(draft, chains.value, service, problems);
    }
  }
  const policy = outboundPolicy(context, scope);
  const elsewhere = egressProxy(context, scope);
  problems.push(...egressProblems(context, scope));
  const observed = observationOf(context, scope, "client");
  const listeners = [...drafts.values()].map((draft) =>
    finish(draft, context.mesh, { policy, elsewhere }, observed.value),
  );
  listeners.push(virtualOutbound(context.mesh, policy, observed.value, elsewhere));
  listeners.sort((left, right) => compareText(left.name, right.name));
  const value = scope.isOnDemand === undefined ? listeners : listeners.map(askingListener);
  return { value, problems: [...problems, ...observed.problems] };
}

/** Always the same object: a list of thousands is soon found to be as before. */
const sourceOf = cached((service: Service): Origin => originOf(service.source), 1);

function draftAt(drafts: Map<string, Draft>, address: string, port: number): Draft {
  const name = `${address}_${port}`;
  const found = drafts.get(name);
  if (found !== undefined) return found;
  const draft: Draft = {
    address,
    port,
    additional: [],
    bindToPort: false,
    resolves: false,
    chains: [],
    taken: new Map(),
    origins: [],
  };
  drafts.set(name, draft);
  return draft;
}

/** Chains that match the same would make Envoy refuse the listener: the first keeps it. */
function addChains(
  draft: Draft,
  chains: readonly FilterChain[],
  service: Service,
  problems: IrProblem[],
): void {
  for (const chain of chains) {
    const parts = freeParts(draft.taken, chain, problems, (_, owner, name) =>
      sameTarget(owner, chain) ? undefined : conflict(draft, service, owner, name),
    );
    draft.chains.push(...parts);
  }
}

function conflict(draft: Draft, service: Service, owner: FilterChain, name: string): IrProblem {
  const what = `connections to ${draft.address}:${draft.port}${name === "" ? "" : ` for ${name}`}`;
  return {
    object: service.source,
    path: "spec.ports",
    severity: "warning",
    reason: "ListenerConflict",
    message: `${what} already go to ${targetOf(owner)}`,
  };
}

function targetOf(chain: FilterChain): string {
  return chain.connection.kind === "tcp"
    ? chain.connection.clusters.map((one) => one.cluster).join(", ")
    : chain.connection.statPrefix;
}

function sameTarget(left: FilterChain, right: FilterChain): boolean {
  return targetOf(left) === targetOf(right);
}

function finish(
  draft: Draft,
  mesh: MeshConfig,
  { policy, elsewhere }: Rest,
  observed: Observed,
): Listener {
  const name = `${draft.address}_${draft.port}`;
  const matched = draft.chains.filter((chain) => Object.keys(chain.match).length > 0);
  const rest = draft.chains.find((chain) => Object.keys(chain.match).length === 0);
  const chains = [...matched];
  if (draft.routes !== undefined) {
    chains.push({
      match: PLAIN_HTTP,
      connection: {
        kind: "http",
        role: "outbound",
        statPrefix: `outbound_${name};`,
        routes: { kind: "discovered", name: draft.routes },
        ...(draft.resolves || policy === "ALLOW_ANY_DYNAMIC_DNS" ? { dnsCache: DNS_CACHE } : {}),
      },
      origins: [],
    });
  }
  const alone = chains.length === 0 && rest !== undefined;
  const byName = chains.some((chain) => chain.match.serverNames !== undefined);
  return {
    name,
    address: draft.address,
    port: draft.port,
    additionalAddresses: draft.additional,
    direction: "outbound",
    bindToPort: draft.bindToPort,
    useOriginalDestination: false,
    inspectors: [
      ...(byName ? (["tls"] as const) : []),
      ...(draft.routes === undefined ? [] : (["http"] as const)),
    ],
    uninspectedPorts: [],
    inspectionTimeoutMs: mesh.protocolDetectionTimeoutMs,
    filterChains: alone ? [rest] : chains,
    ...(alone ? {} : { defaultFilterChain: rest ?? unmatched(mesh, policy, elsewhere) }),
    ...observed,
    ...pathFields(mesh),
    origins: mergeOrigins(draft.origins),
  };
}

/** Rules with `tcp` or `tls` about a host: those that name it, else the most specific wildcard. */
function rulesForConnections(
  context: PushContext,
  scope: OutboundScope,
  host: Hostname,
): readonly VirtualService[] {
  for (const name of coveringKeys(context.indexes.virtualServicesByHost, host)) {
    const rules = visibleRulesFor(context, scope, name).filter(hasConnectionRules);
    if (rules.length > 0) return rules;
  }
  return NO_RULES;
}

const NO_RULES: readonly VirtualService[] = [];

/** Chains for connections to a service's port: by its rules, else straight to it. */
function connectionChains(
  context: PushContext,
  scope: OutboundScope,
  planned: PlannedPort,
): Translated<readonly FilterChain[]> {
  const { service, port } = planned;
  const tls = isTls(port.protocol);
  const problems: IrProblem[] = [];
  for (const rule of rulesForConnections(context, scope, service.host)) {
    const input = {
      view: {
        gateways: ["mesh"],
        port: port.number,
        source: { namespace: scope.namespace, labels: scope.labels },
      },
      destinations: destinationsFor(context, scope, rule),
      mesh: context.mesh,
    };
    const made = tls ? tlsRoutes(rule, input) : tcpRoutes(rule, input);
    problems.push(...made.problems);
    if (made.value.length > 0) {
      const value = made.value.map((route) =>
        routedChain(route, planned, policyOfRoute(route, input.destinations, context.mesh)),
      );
      return { value, problems };
    }
  }
  const rule = ruleFor(context, scope, service);
  return { value: [straightChain(planned, tcpPolicy(rule, port, context.mesh))], problems };
}

export function destinationsFor(
  context: PushContext,
  scope: Parameters<typeof visibleServices>[1],
  rule: VirtualService,
): Destinations {
  const { byHost } = visibleServices(context, scope);
  return new Map(
    destinationsOf(rule, context.mesh.clusterDomain).map((host) => {
      const service = byHost.get(host);
      const found = service === undefined ? undefined : ruleFor(context, scope, service);
      return [host, { service, rule: found }];
    }),
  );
}

function routedChain(route: L4Route, planned: PlannedPort, policy: TcpPolicy): FilterChain {
  const destinations = route.subnets.length > 0 ? route.subnets : planned.ranges;
  return {
    match: {
      ...(destinations.length > 0 ? { destinations } : {}),
      ...(route.serverNames.length > 0 ? { serverNames: route.serverNames } : {}),
    },
    connection: {
      kind: "tcp",
      statPrefix: statPrefixOf(route, planned),
      clusters: route.clusters,
      ...policy,
    },
    origins: [route.origin],
  };
}

function statPrefixOf(route: L4Route, { service, port }: PlannedPort): string {
  const only = route.clusters.length === 1 ? route.clusters[0]?.cluster : undefined;
  return only ?? outboundCluster(service.host, port.number);
}

/** TLS to a name without an address is told apart from its neighbours by the server name. */
function straightChain(
  { service, port, binds, ranges, bound }: PlannedPort,
  policy: TcpPolicy,
): FilterChain {
  const named = isTls(port.protocol) && (binds[0] === ANY || bound !== undefined);
  const cluster = outboundCluster(service.host, port.number);
  return {
    match: {
      ...(ranges.length > 0 ? { destinations: ranges } : {}),
      ...(named ? { serverNames: [service.host] } : {}),
    },
    connection: {
      kind: "tcp",
      statPrefix: cluster,
      clusters: [{ cluster, weight: 1 }],
      ...policy,
      ...(service.resolution === "dns-on-request"
        ? { byServerName: { dnsCache: DNS_CACHE, port: port.number } }
        : {}),
    },
    origins: [originOf(service.source)],
  };
}
