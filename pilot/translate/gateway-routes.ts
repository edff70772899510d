/** Route configurations of gateways: virtual hosts where servers' names and rules' hosts meet. */

import type { Route, RouteConfiguration, VirtualHost } from "#pilot/ir/route.ts";
import type { IrProblem } from "#pilot/ir/scope-ir.ts";
import { cached } from "#pilot/model/cached.ts";
import { type VirtualService, compareAge, compareText } from "#pilot/model/object.ts";
import { lookup } from "#pilot/model/object-index.ts";
import { type PushContext, hostsOf } from "#pilot/model/push-context.ts";
import type { WorkloadScope } from "#pilot/model/scope.ts";
import { isRuleVisible } from "#pilot/model/visibility.ts";
import {
  type PlannedListener,
  type PlannedServer,
  gatewayPlan,
  sharedHosts,
} from "./gateway-plan.ts";
import { matchesEverything } from "./http-match.ts";
import { routesOf } from "./http-route.ts";
import { type Translated, originOf } from "./result.ts";

/** One configuration for all plain servers of a port, and one for each that ends TLS. */
export function translateGatewayRoutes(
  context: PushContext,
  scope: WorkloadScope,
): Translated<readonly RouteConfiguration[]> {
  const problems: IrProblem[] = [];
  const configurations: RouteConfiguration[] = [];
  for (const listener of gatewayPlan(context, scope).listeners) {
    for (const [name, servers] of serversByRoutes(listener)) {
      const made = buildConfiguration(context, scope, name, servers);
      configurations.push(made.value);
      problems.push(...made.problems);
    }
  }
  configurations.sort((left, right) => compareText(left.name, right.name));
  return { value: configurations, problems };
}

/** Servers of a listener by the name of their route configuration. */
export function serversByRoutes(
  listener: PlannedListener,
): ReadonlyMap<string, readonly PlannedServer[]> {
  const byName = new Map<string, PlannedServer[]>();
  for (const server of listener.servers) {
    if (server.kind !== "http" && server.kind !== "https") continue;
    const name = routeName(listener, server);
    byName.set(name, [...(byName.get(name) ?? []), server]);
  }
  return byName;
}

/** `http.8080` (where the workload listens), `https.443.name.gateway.namespace` (as written). */
export function routeName(
  listener: PlannedListener,
  { server, gateway, kind }: PlannedServer,
): string {
  const bind = listener.bind === "" ? "" : `.${listener.bind}`;
  if (kind === "http") return `http.${listener.port}${bind}`;
  const { number, name } = server.port;
  return `https.${number}.${name}.${gateway.name}.${gateway.namespace}${bind}`;
}

/** Rules bound to a gateway that its workload sees, oldest first. */
export function rulesOfGateway(
  context: PushContext,
  scope: WorkloadScope,
  gateway: PlannedServer["gateway"],
): readonly VirtualService[] {
  return lookup(
    context.indexes.virtualServicesByGateway,
    `${gateway.namespace}/${gateway.name}`,
  ).filter((rule) => isRuleVisible(rule, context.mesh, scope.namespace));
}

interface HostDraft {
  readonly host: string;
  readonly routes: Route[][];
  readonly rules: VirtualService[];
  readonly servers: PlannedServer[];
  requireTls: boolean;
}

function buildConfiguration(
  context: PushContext,
  scope: WorkloadScope,
  name: string,
  servers: readonly PlannedServer[],
): Translated<RouteConfiguration> {
  const port = servers[0]?.server.port.number ?? 0;
  const problems: IrProblem[] = [];
  const drafts = new Map<string, HostDraft>();
  const draftOf = (host: string): HostDraft => {
    const draft = drafts.get(host) ?? {
      host,
      routes: [],
      rules: [],
      servers: [],
      requireTls: false,
    };
    drafts.set(host, draft);
    return draft;
  };
  for (const server of servers) {
    const redirects = server.server.tls?.httpsRedirect === true;
    for (const rule of [...rulesOfGateway(context, scope, server.gateway)].toSorted(compareAge)) {
      const hosts = sharedHosts(
        server.hosts,
        hostsOf(rule, context.mesh.clusterDomain),
        rule.namespace,
      );
      if (hosts.length === 0) continue;
      const gateways = [`${server.gateway.namespace}/${server.gateway.name}`];
      const made = routesOf(context, scope, rule, {
        gateways,
        port: server.server.port.number,
      });
      if (rule.sourcePaths === undefined) problems.push(...made.problems);
      for (const host of hosts) addRoutes(draftOf(host), rule, server, made.value, redirects);
    }
    if (!redirects) continue;
    for (const { host } of server.hosts) {
      const draft = draftOf(host);
      draft.requireTls = true;
      draft.servers.push(server);
    }
  }
  const hosts = [...drafts.values()].map((draft) => finishHost(draft, port));
  hosts.sort((left, right) => compareText(left.name, right.name));
  return {
    value: {
      name,
      virtualHosts: hosts.length === 0 ? [blackHole(port)] : hosts,
      ignorePort: true,
      origins: servers.map(({ gateway, path }) => originOf(gateway.key, path)),
    },
    problems,
  };
}

function addRoutes(
  draft: HostDraft,
  rule: VirtualService,
  server: PlannedServer,
  routes: readonly Route[],
  redirects: boolean,
): void {
  draft.requireTls ||= redirects;
  draft.servers.push(server);
  if (draft.rules.includes(rule)) return;
  draft.rules.push(rule);
  draft.routes.push([...routes]);
}

/** Rules of one host are put together; what takes everything comes last. */
function finishHost(draft: HostDraft, port: number): VirtualHost {
  const all = draft.routes.flat();
  const takesAll = (route: Route): boolean => matchesEverything(route.match);
  const routes =
    draft.rules.length > 1
      ? [...all.filter((route) => !takesAll(route)), ...all.filter(takesAll)]
      : all;
  const owner = draft.rules[0] ?? draft.servers[0]?.gateway;
  const origins = [
    ...draft.rules.map((rule) => originOf(rule.key, "spec.hosts")),
    ...new Set(draft.servers.map(({ gateway, path }) => originOf(gateway.key, path))),
  ];
  return virtualHost(
    owner ?? draft,
    draft.host,
    port,
    routes,
    draft.requireTls,
    JSON.stringify(origins),
  );
}

/** The same content gives the same object, so that an unchanged host isn't sent again. */
const virtualHost = cached(
  (
    _owner: object,
    host: string,
    port: number,
    routes: readonly Route[],
    requireTls: boolean,
    origins: string,
  ): VirtualHost => ({
    name: `${host}:${port}`,
    domains: [host.includes(":") ? `[${host}]` : host],
    routes,
    requireTls,
    origins: JSON.parse(origins) as VirtualHost["origins"],
  }),
);

/** A port that serves nothing answers 404. */
function blackHole(port: number): VirtualHost {
  return {
    name: `blackhole:${port}`,
    domains: ["*"],
    routes: [],
    requireTls: false,
    origins: [],
  };
}
