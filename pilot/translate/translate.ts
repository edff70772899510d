/**
 * (PushContext, ProxyScope) → what that class of proxies must do. The entry of this room: each list
 * is made by its own file when it is first asked for, and kept up to date piece by piece.
 */

import type { Cluster } from "#pilot/ir/cluster.ts";
import type { EndpointAssignment } from "#pilot/ir/endpoint.ts";
import type { Listener } from "#pilot/ir/listener.ts";
import type { RouteConfiguration } from "#pilot/ir/route.ts";
import type { Secret } from "#pilot/ir/secret.ts";
import type { IrProblem, ScopeIr } from "#pilot/ir/scope-ir.ts";
import type { Extent } from "#pilot/model/extent.ts";
import type { IrList } from "#pilot/model/impact.ts";
import { type Hostname, indexedHost } from "#pilot/model/name.ts";
import type { PushContext } from "#pilot/model/push-context.ts";
import type { OutboundScope, ProxyScope, WorkloadScope } from "#pilot/model/scope.ts";
import { translateClustersOf, translateFixedClusters } from "./clusters.ts";
import { translateEndpointsOf } from "./endpoints.ts";
import { translateGatewayListeners } from "./gateway-listeners.ts";
import { translateGatewayRoutes } from "./gateway-routes.ts";
import { translateInboundClusters, translateInboundListeners } from "./inbound.ts";
import { KeyedList, type KeyedSource, type NodeChanges, wholeList } from "./keyed-list.ts";
import { translateOutboundListeners } from "./outbound-listeners.ts";
import { OutboundRoutes } from "./outbound-routes.ts";
import type { Translated } from "./result.ts";
import { type RouteChanges, WholeRoutes } from "./route-list.ts";
import { translateSecrets } from "./secrets.ts";

/** What an update has made different, of the lists that someone has read. */
export interface IrChanges {
  clusters?: NodeChanges<Cluster>;
  listeners?: NodeChanges<Listener>;
  endpoints?: NodeChanges<EndpointAssignment>;
  routes?: RouteChanges;
  secrets?: NodeChanges<Secret>;
}

/** Translates one scope as a whole, lazily. */
export function translateScope(context: PushContext, scope: ProxyScope): ScopeIr {
  return new ScopeTranslation(context, scope);
}

/** A list that is kept up to date; `update` looks at what belongs to the hosts of an extent. */
interface LiveList<N, C> {
  readonly nodes: readonly N[];
  problems(): IrProblem[];
  update(context: PushContext, extent: Extent): C;
}

interface Lists {
  readonly clusters: () => LiveList<Cluster, NodeChanges<Cluster>>;
  readonly listeners: () => LiveList<Listener, NodeChanges<Listener>>;
  readonly endpoints: () => LiveList<EndpointAssignment, NodeChanges<EndpointAssignment>>;
  readonly routes: () => LiveList<RouteConfiguration, RouteChanges>;
  readonly secrets: () => LiveList<Secret, NodeChanges<Secret>>;
}

type MadeLists = { [L in IrList]?: ReturnType<Lists[L]> };

/**
 * The translation of one scope over time. Each update moves it to another world and tells what is
 * different; nodes that are as before are the same objects. It equals a translation made anew.
 */
export class ScopeTranslation implements ScopeIr {
  readonly #lists: Lists;
  #made: MadeLists = {};
  #context: PushContext;

  constructor(context: PushContext, scope: ProxyScope) {
    this.#context = context;
    this.#lists = scope.kind === "outbound" ? outboundLists(scope) : workloadLists(scope);
  }

  get clusters(): readonly Cluster[] {
    return (this.#made.clusters ??= this.#first(this.#lists.clusters())).nodes;
  }

  get listeners(): readonly Listener[] {
    return (this.#made.listeners ??= this.#first(this.#lists.listeners())).nodes;
  }

  get routes(): readonly RouteConfiguration[] {
    return (this.#made.routes ??= this.#first(this.#lists.routes())).nodes;
  }

  get endpoints(): readonly EndpointAssignment[] {
    return (this.#made.endpoints ??= this.#first(this.#lists.endpoints())).nodes;
  }

  get secrets(): readonly Secret[] {
    return (this.#made.secrets ??= this.#first(this.#lists.secrets())).nodes;
  }

  get problems(): readonly IrProblem[] {
    const { clusters, listeners, endpoints, routes, secrets } = this.#made;
    const lists = [clusters, listeners, endpoints, routes, secrets];
    const all = lists.flatMap((list) => list?.problems() ?? []);
    return [...new Map(all.map((one) => [JSON.stringify(one), one])).values()];
  }

  /**
   * Moves to another world, of which only the lists of `extents` differ, and they in these hosts
   * only. After a failure the lists are as if nobody had read them.
   */
  update(context: PushContext, extents: ReadonlyMap<IrList, Extent>): IrChanges {
    this.#context = context;
    const { clusters, listeners, endpoints, routes, secrets } = this.#made;
    const none: Extent = new Set<Hostname>();
    const extent = (list: IrList): Extent => extents.get(list) ?? none;
    try {
      return {
        ...(clusters && { clusters: clusters.update(context, extent("clusters")) }),
        ...(listeners && { listeners: listeners.update(context, extent("listeners")) }),
        ...(endpoints && { endpoints: endpoints.update(context, extent("endpoints")) }),
        ...(routes && { routes: routes.update(context, extent("routes")) }),
        ...(secrets && { secrets: secrets.update(context, extent("secrets")) }),
      };
    } catch (error) {
      this.#made = {};
      throw error;
    }
  }

  #first<L extends LiveList<unknown, unknown>>(list: L): L {
    list.update(this.#context, "all");
    return list;
  }
}

/** A gateway has no redirected traffic: of what it may call, only clusters and endpoints count. */
function outboundLists(scope: OutboundScope): Lists {
  const redirected = scope.proxyType === "sidecar";
  return {
    clusters: () =>
      liveList(nameOf, (context) => ({
        keys: () => [FIXED, ...context.indexes.servicesByHost.lists.keys()],
        build: (key) =>
          key === FIXED
            ? translateFixedClusters(context, scope)
            : translateClustersOf(context, scope, indexedHost(key)),
      })),
    listeners: () =>
      redirected
        ? liveWhole((context) => translateOutboundListeners(context, scope))
        : liveWhole(() => NOTHING),
    endpoints: () =>
      liveList(clusterOf, (context) => ({
        keys: () => context.indexes.servicesByHost.lists.keys(),
        build: (key) => translateEndpointsOf(context, scope, indexedHost(key)),
      })),
    routes: () => (redirected ? liveRoutes(scope) : liveWholeRoutes(() => NOTHING)),
    secrets: () => liveWhole((context) => translateSecrets(context, scope)),
  };
}

/** The key of what belongs to no host; it sorts first. */
const FIXED = "";

function workloadLists(scope: WorkloadScope): Lists {
  const isRouter = scope.proxyType === "router";
  return {
    clusters: () =>
      liveWhole((context) => (isRouter ? NOTHING : translateInboundClusters(context, scope))),
    listeners: () =>
      liveWhole((context) =>
        isRouter
          ? translateGatewayListeners(context, scope)
          : translateInboundListeners(context, scope),
      ),
    endpoints: () => liveList(clusterOf, () => wholeList(() => NOTHING)),
    routes: () =>
      liveWholeRoutes((context) => (isRouter ? translateGatewayRoutes(context, scope) : NOTHING)),
    secrets: () => liveWhole((context) => translateSecrets(context, scope)),
  };
}

const NOTHING: Translated<readonly never[]> = { value: [], problems: [] };

function nameOf(node: { readonly name: string }): string {
  return node.name;
}

function clusterOf(assignment: EndpointAssignment): string {
  return assignment.cluster;
}

/** A list in pieces: one a host, and one for what belongs to none. */
function liveList<N extends object>(
  name: (node: N) => string,
  source: (context: PushContext) => KeyedSource<N>,
): LiveList<N, NodeChanges<N>> {
  const list = new KeyedList(name);
  return {
    get nodes() {
      return list.nodes;
    },
    problems: () => list.problems(),
    update: (context, extent) => list.update(source(context), extent),
  };
}

/** A list that is made anew whenever anything of it may differ. */
function liveWhole<N extends { readonly name: string }>(
  build: (context: PushContext) => Translated<readonly N[]>,
): LiveList<N, NodeChanges<N>> {
  const list = new KeyedList<N>(nameOf);
  return {
    get nodes() {
      return list.nodes;
    },
    problems: () => list.problems(),
    update: (context, extent) =>
      list.update(
        wholeList(() => build(context)),
        extent === "all" || extent.size > 0 ? "all" : extent,
      ),
  };
}

function liveRoutes(scope: OutboundScope): LiveList<RouteConfiguration, RouteChanges> {
  const list = new OutboundRoutes();
  return {
    get nodes() {
      return list.nodes;
    },
    problems: () => list.problems(),
    update: (context, extent) => list.update(context, scope, extent),
  };
}

function liveWholeRoutes(
  build: (context: PushContext) => Translated<readonly RouteConfiguration[]>,
): LiveList<RouteConfiguration, RouteChanges> {
  const list = new WholeRoutes();
  return {
    get nodes() {
      return list.nodes;
    },
    problems: () => list.problems(),
    update: (context, extent) =>
      list.update(extent === "all" || extent.size > 0 ? () => build(context) : undefined),
  };
}
