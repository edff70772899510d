/** Listeners of gateways: a chain for all plain requests of a port, a chain a name for TLS. */

import type { FilterChain, Listener } from "#pilot/ir/listener.ts";
import { mergeOrigins } from "#pilot/ir/origin.ts";
import type { IrProblem } from "#pilot/ir/scope-ir.ts";
import { compareText } from "#pilot/model/object.ts";
import { type PushContext, hostsOf } from "#pilot/model/push-context.ts";
import { type WorkloadScope, meshOf } from "#pilot/model/scope.ts";
import { observationOf } from "./observation.ts";
import { passthroughChains } from "./auto-passthrough.ts";
import { freeChains } from "./free-chains.ts";
import {
  type PlannedListener,
  type PlannedServer,
  gatewayPlan,
  sharedHosts,
} from "./gateway-plan.ts";
import { routeName, rulesOfGateway } from "./gateway-routes.ts";
import { serverTls } from "./gateway-tls.ts";
import { type L4Route, tcpRoutes, tlsRoutes } from "./l4-route.ts";
import { destinationsFor } from "./outbound-listeners.ts";
import { pathFields } from "./path-normalization.ts";
import { type Translated, originOf } from "./result.ts";
import { type TcpPolicy, policyOfRoute } from "./tcp-policy.ts";

/** All listeners of a gateway workload; one without a chain would be refused and isn't made. */
export function translateGatewayListeners(
  context: PushContext,
  scope: WorkloadScope,
): Translated<readonly Listener[]> {
  const plan = gatewayPlan(context, scope);
  const observed = observationOf(context, scope, "client");
  const problems: IrProblem[] = [...plan.problems, ...observed.problems];
  const listeners: Listener[] = [];
  for (const planned of plan.listeners) {
    const chains = chainsOf(context, scope, planned, problems);
    if (chains.length > 0) listeners.push(buildListener(context, scope, planned, chains));
  }
  listeners.sort((left, right) => compareText(left.name, right.name));
  return { value: listeners, problems };
}

function buildListener(
  context: PushContext,
  scope: WorkloadScope,
  planned: PlannedListener,
  filterChains: readonly FilterChain[],
): Listener {
  const byName = filterChains.some(
    (chain) => chain.match.serverNames !== undefined || chain.tls !== undefined,
  );
  return {
    name: `${planned.address}_${planned.port}`,
    address: planned.address,
    port: planned.port,
    additionalAddresses: [],
    direction: "outbound",
    bindToPort: true,
    useOriginalDestination: false,
    inspectors: [
      ...(scope.edge?.proxyProtocol === true ? (["proxy-protocol"] as const) : []),
      ...(byName ? (["tls"] as const) : []),
    ],
    uninspectedPorts: [],
    filterChains,
    ...observationOf(context, scope, "client").value,
    ...pathFields(context.mesh),
    origins: mergeOrigins(planned.servers.map(({ gateway, path }) => originOf(gateway.key, path))),
  };
}

function chainsOf(
  context: PushContext,
  scope: WorkloadScope,
  planned: PlannedListener,
  problems: IrProblem[],
): FilterChain[] {
  // Plain servers of a port share a chain, and their routes find the host.
  const plain = planned.servers.find(({ kind }) => kind === "http");
  const chains = planned.servers
    .filter((server) => server.kind !== "http" || server === plain)
    .flatMap((server) => chainsOfServer(context, scope, planned, server, problems));
  return freeChains(chains, problems);
}

function chainsOfServer(
  context: PushContext,
  scope: WorkloadScope,
  planned: PlannedListener,
  server: PlannedServer,
  problems: IrProblem[],
): FilterChain[] {
  switch (server.kind) {
    case "http":
      return [httpChain(scope, planned, server, {})];
    case "https": {
      const tls = serverTls(server, meshOf(context, scope));
      problems.push(...tls.problems);
      return tls.value === undefined
        ? []
        : [{ ...httpChain(scope, planned, server, byName(server)), tls: tls.value }];
    }
    case "tls":
    case "tcp":
      if (server.server.tls?.mode === "AUTO_PASSTHROUGH") {
        return passthroughChains(context, scope, server);
      }
      return connectionChains(context, scope, server, problems);
  }
}

function httpChain(
  scope: WorkloadScope,
  planned: PlannedListener,
  server: PlannedServer,
  match: FilterChain["match"],
): FilterChain {
  const { gateway, path, kind } = server;
  const { name = "" } = server.server;
  const { edge } = scope;
  return {
    match,
    connection: {
      kind: "http",
      role: "gateway",
      statPrefix:
        kind === "https" && name !== "" ? name : `outbound_${planned.address}_${planned.port};`,
      routes: { kind: "discovered", name: routeName(planned, server) },
      ...(edge === undefined ? {} : { edge }),
    },
    origins: [originOf(gateway.key, path)],
  };
}

/** `*` serves clients without a server name as well, so it is no match at all. */
function byName(server: PlannedServer): FilterChain["match"] {
  const names = server.hosts.map((one) => one.host);
  return names.length === 0 || names.includes("*") ? {} : { serverNames: names };
}

/** Chains of `tls` and `tcp` rules that are bound to the server's gateway. */
function connectionChains(
  context: PushContext,
  scope: WorkloadScope,
  server: PlannedServer,
  problems: IrProblem[],
): FilterChain[] {
  const { gateway } = server;
  const terminates = server.kind === "tls" && server.server.tls?.mode !== "PASSTHROUGH";
  const tls = terminates ? serverTls(server, meshOf(context, scope)) : undefined;
  problems.push(...(tls?.problems ?? []));
  if (terminates && tls?.value === undefined) return [];
  const chains: FilterChain[] = [];
  for (const rule of rulesOfGateway(context, scope, gateway)) {
    const hosts = sharedHosts(
      server.hosts,
      hostsOf(rule, context.mesh.clusterDomain),
      rule.namespace,
    );
    if (hosts.length === 0) continue;
    const input = {
      view: {
        gateways: [`${gateway.namespace}/${gateway.name}`],
        port: server.server.port.number,
        source: { namespace: scope.namespace, labels: scope.labels },
      },
      destinations: destinationsFor(context, scope, rule),
      mesh: context.mesh,
    };
    const passes = server.kind === "tls" && !terminates;
    const made = passes ? tlsRoutes(rule, input) : tcpRoutes(rule, input);
    problems.push(...made.problems);
    for (const route of made.value) {
      const names = passes
        ? sharedHosts(server.hosts, route.serverNames, rule.namespace)
        : terminates
          ? hosts
          : [];
      if (passes && names.length === 0) continue;
      chains.push({
        ...connectionChain(
          route,
          names,
          server,
          policyOfRoute(route, input.destinations, context.mesh),
        ),
        ...(tls?.value === undefined ? {} : { tls: tls.value }),
      });
    }
  }
  return chains;
}

function connectionChain(
  route: L4Route,
  names: readonly string[],
  { gateway, path }: PlannedServer,
  policy: TcpPolicy,
): FilterChain {
  const only = route.clusters.length === 1 ? route.clusters[0]?.cluster : undefined;
  const matched = names.length > 0 && !names.includes("*");
  return {
    match: {
      ...(route.subnets.length > 0 ? { destinations: route.subnets } : {}),
      ...(matched ? { serverNames: names } : {}),
    },
    connection: {
      kind: "tcp",
      statPrefix: only ?? `${gateway.namespace}/${gateway.name}`,
      clusters: route.clusters,
      ...policy,
    },
    origins: [route.origin, originOf(gateway.key, path)],
  };
}
