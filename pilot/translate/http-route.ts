/** The HTTP rules of a VirtualService as routes, seen from one viewpoint. */

import type { HTTPMatchRequest } from "#crds/types/networking-v1.ts";
import { parseOutboundCluster } from "#pilot/ir/name.ts";
import type { ForwardAction, Route, RouteMatch } from "#pilot/ir/route.ts";
import type { IrProblem } from "#pilot/ir/scope-ir.ts";
import { cached } from "#pilot/model/cached.ts";
import type { MeshConfig } from "#pilot/model/mesh-config.ts";
import type { Service, VirtualService } from "#pilot/model/object.ts";
import { type PushContext, destinationsOf } from "#pilot/model/push-context.ts";
import type { ProxyScope } from "#pilot/model/scope.ts";
import { type VisibleServices, visibleServices } from "#pilot/model/visible.ts";
import { type PlacedRule, delegatesOf, expandRules } from "./delegate.ts";
import { ruleFor } from "./destination-rule.ts";
import type { MergedRule } from "./merged-rule.ts";
import { type Destinations, buildAction } from "./http-action.ts";
import { corsOf, faultOf } from "./http-filters.ts";
import { type Viewpoint, appliesTo, matchesEverything, requestMatch } from "./http-match.ts";
import { headerChanges } from "./header-operations.ts";
import { type Reporter, type Translated, guarded, originOf, reporter, warn } from "./result.ts";

/** Routes of a VirtualService in order; empty where none of its rules is for this viewpoint. */
export function routesOf(
  context: PushContext,
  scope: ProxyScope,
  rule: VirtualService,
  at: { readonly gateways: readonly string[]; readonly port: number },
): Translated<readonly Route[]> {
  const visible = visibleServices(context, scope);
  const delegates = delegatesOf(context, rule);
  const { services, rules } = readDestinations(context, scope, rule, { delegates, visible });
  return buildRoutes(
    rule,
    at.gateways,
    at.port,
    asksForSource(rule, delegates) ? scope : undefined,
    delegates,
    services,
    rules,
    context.mesh,
  );
}

const readsSource = cached((rule: VirtualService): boolean =>
  (rule.spec.http ?? []).some((one) =>
    (one.match ?? []).some(
      (match) => match.sourceLabels !== undefined || match.sourceNamespace !== undefined,
    ),
  ),
);

function readDestinations(
  context: PushContext,
  scope: ProxyScope,
  rule: VirtualService,
  known: {
    readonly delegates: readonly (VirtualService | undefined)[];
    readonly visible: VisibleServices;
  },
): {
  services: readonly (Service | undefined)[];
  rules: readonly (MergedRule | undefined)[];
} {
  const services = hostsRead(rule, known.delegates, context.mesh).map((host) =>
    known.visible.byHost.get(host),
  );
  const rules = services.map((service) =>
    service === undefined ? undefined : ruleFor(context, scope, service),
  );
  return { services, rules };
}

/** Hosts that the rules send to, in a fixed order: what `services` and `rules` below are about. */
function hostsRead(
  rule: VirtualService,
  delegates: readonly (VirtualService | undefined)[],
  mesh: MeshConfig,
): ReturnType<typeof destinationsOf> {
  const all = [rule, ...delegates.filter((one) => one !== undefined)];
  return [...new Set(all.flatMap((one) => destinationsOf(one, mesh.clusterDomain)))];
}

function asksForSource(
  rule: VirtualService,
  delegates: readonly (VirtualService | undefined)[],
): boolean {
  return [rule, ...delegates].some((one) => one !== undefined && readsSource(one));
}

const buildRoutes = cached(
  (
    rule: VirtualService,
    gateways: readonly string[],
    port: number,
    source: ProxyScope | undefined,
    delegates: readonly (VirtualService | undefined)[],
    services: readonly (Service | undefined)[],
    rules: readonly (MergedRule | undefined)[],
    mesh: MeshConfig,
  ): Translated<readonly Route[]> =>
    guarded(rule.attachment?.parents[0]?.object ?? rule.key, [], () => {
      const report = reporter(rule.key);
      const hosts = hostsRead(rule, delegates, mesh);
      const destinations: Destinations = new Map(
        hosts.map((host, at) => [host, { service: services[at], rule: rules[at] }]),
      );
      const view: Viewpoint = {
        gateways,
        port,
        ...(source === undefined
          ? {}
          : { source: { namespace: source.namespace, labels: source.labels } }),
      };
      const problems = [];
      const routes: Route[] = [];
      const placedRules = expandRules(rule, delegates, report);
      for (const [at, placed] of placedRules.entries()) {
        const inner = reporter(placed.object);
        const made = routesOfRule(placed, { view, destinations, mesh, report: inner, owner: rule });
        routes.push(...made.routes);
        problems.push(...inner.problems.map((one) => ({ ...one, path: pathIn(placed, one.path) })));
        if (made.everywhere) problems.push(...unreachable(placed, placedRules.slice(at + 1)));
        if (made.complete) break;
      }
      return { value: routes, problems: [...report.problems, ...problems] };
    }),
  128,
);

interface RuleInput {
  readonly view: Viewpoint;
  readonly destinations: Destinations;
  readonly mesh: MeshConfig;
  readonly report: Reporter;
  readonly owner: VirtualService;
}

/** Rules behind one that takes every request of every client. */
function unreachable(taker: PlacedRule, rest: readonly PlacedRule[]): readonly IrProblem[] {
  // Generated rules may have a last resort that none of theirs needs.
  const written = rest.filter(({ object }) => object.startsWith("VirtualService/"));
  return written.flatMap(({ object, path }) => {
    const report = reporter(object);
    warn(report, path, "Unreachable", `never reached: ${taker.path} takes every request before it`);
    return report.problems;
  });
}

/**
 * A route for each match block; `complete` when the last takes everything that is left, and
 * `everywhere` when it does so for every client and port.
 */
function routesOfRule(
  placed: PlacedRule,
  input: RuleInput,
): { routes: Route[]; complete: boolean; everywhere: boolean } {
  const routes: Route[] = [];
  const blocks = placed.rule.match ?? [];
  const alternatives: (HTTPMatchRequest | undefined)[] = blocks.length === 0 ? [undefined] : blocks;
  for (const [at, block] of alternatives.entries()) {
    if (block !== undefined && !appliesTo(block, input.view, placed.namespace)) continue;
    const where = `${placed.path}.match[${at}]`;
    const match = requestMatch(block, input.report, where, placed.written !== undefined);
    if (match === undefined) continue;
    routes.push(buildRoute(placed, block, match, input));
    if (!matchesEverything(match)) continue;
    return { routes, complete: true, everywhere: block === undefined || !isForSome(block) };
  }
  return { routes, complete: false, everywhere: false };
}

/** Whether the block is about some clients or ports only. */
function isForSome({ port, gateways, sourceLabels, sourceNamespace }: HTTPMatchRequest): boolean {
  return (
    (port ?? 0) !== 0 ||
    (gateways ?? []).length > 0 ||
    Object.keys(sourceLabels ?? {}).length > 0 ||
    (sourceNamespace ?? "") !== ""
  );
}

function buildRoute(
  placed: PlacedRule,
  block: HTTPMatchRequest | undefined,
  match: RouteMatch,
  input: RuleInput,
): Route {
  const { rule, path } = placed;
  const { report, view, destinations, mesh } = input;
  const action = buildAction(rule, block, {
    namespace: placed.namespace,
    object: placed.object,
    port: view.port,
    destinations,
    mesh,
    report,
    path,
    ...(placed.written === undefined ? {} : { unknownStatus: 500 as const }),
  });
  const headers = headerChanges(rule.headers, report, `${path}.headers`);
  const fault = faultOf(rule.fault, report, `${path}.fault`);
  const cors = corsOf(rule.corsPolicy, report, `${path}.corsPolicy`);
  const name = rule.name ?? "";
  return {
    name: name !== "" && block?.name !== undefined ? `${name}.${block.name}` : name,
    match,
    action: placed.written === undefined ? action : withWrittenOrigins(action, placed),
    ...headers,
    ...(fault === undefined ? {} : { fault }),
    ...(cors === undefined ? {} : { cors }),
    ...((block?.statPrefix ?? "") === "" ? {} : { statPrefix: block?.statPrefix }),
    operation: operationOf(action, match, input.owner.name, view.port),
    origins: [
      originOf(placed.object, placed.written?.path ?? path),
      ...(placed.object === input.owner.key || placed.written !== undefined
        ? []
        : [originOf(input.owner.key)]),
    ],
  };
}

/** Where the author of an attached rule wrote what is at a path of its VirtualService. */
function pathIn({ path, written }: PlacedRule, at: string): string {
  if (written === undefined || !at.startsWith(path)) return at;
  const inner = at.slice(path.length + 1);
  const part = Object.keys(written.parts).find(
    (one) => inner === one || inner.startsWith(`${one}.`) || inner.startsWith(`${one}[`),
  );
  return part === undefined ? written.path : (written.parts[part] ?? written.path);
}

function withWrittenOrigins(action: Route["action"], placed: PlacedRule): Route["action"] {
  if (action.kind !== "forward") return action;
  const clusters = action.clusters.map((cluster) => ({
    ...cluster,
    origins: cluster.origins.map((one) => ({ ...one, path: pathIn(placed, one.path) })),
  }));
  return { ...action, clusters };
}

/** `host:port/path` of a single destination; several have the rule's name in the host's place. */
function operationOf(
  action: Route["action"],
  match: RouteMatch,
  ruleName: string,
  port: number,
): string {
  const path =
    match.path.kind === "prefix" || match.path.kind === "segments"
      ? `${match.path.value}*`
      : match.path.value;
  const only = singleCluster(action);
  const target = only === undefined ? undefined : parseOutboundCluster(only);
  return target === undefined
    ? `${ruleName}:${port}${path}`
    : `${target.host}:${target.port}${path}`;
}

function singleCluster(
  action: Route["action"],
): ForwardAction["clusters"][0]["cluster"] | undefined {
  return action.kind === "forward" && action.clusters.length === 1
    ? action.clusters[0]?.cluster
    : undefined;
}
