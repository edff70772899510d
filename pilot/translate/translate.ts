/**
 * (PushContext, ProxyScope) → what that class of proxies must do. The entry of this room: each list
 * is made by its own file when it is first asked for.
 */

import type { Cluster } from "#pilot/ir/cluster.ts";
import type { EndpointAssignment } from "#pilot/ir/endpoint.ts";
import type { Listener } from "#pilot/ir/listener.ts";
import type { RouteConfiguration } from "#pilot/ir/route.ts";
import type { Secret } from "#pilot/ir/secret.ts";
import type { IrProblem, ScopeIr } from "#pilot/ir/scope-ir.ts";
import type { PushContext } from "#pilot/model/push-context.ts";
import type { OutboundScope, ProxyScope, WorkloadScope } from "#pilot/model/scope.ts";
import { translateClusters } from "./clusters.ts";
import { translateEndpoints } from "./endpoints.ts";
import { translateGatewayListeners } from "./gateway-listeners.ts";
import { translateGatewayRoutes } from "./gateway-routes.ts";
import { translateInboundClusters, translateInboundListeners } from "./inbound.ts";
import { translateOutboundListeners } from "./outbound-listeners.ts";
import { translateOutboundRoutes } from "./outbound-routes.ts";
import type { Translated } from "./result.ts";
import { reuseByName } from "./reuse.ts";
import { translateSecrets } from "./secrets.ts";

/** How the lists of a kind of scope are made. */
interface Lists {
  readonly clusters: () => Translated<readonly Cluster[]>;
  readonly listeners: () => Translated<readonly Listener[]>;
  readonly routes: () => Translated<readonly RouteConfiguration[]>;
  readonly endpoints: () => readonly EndpointAssignment[];
  readonly secrets: () => Translated<readonly Secret[]>;
}

const NOTHING = (): Translated<readonly never[]> => ({ value: [], problems: [] });

/**
 * Translates one scope, lazily. With `previous`, the last result for the same scope, nodes that
 * equal their predecessors are the predecessors themselves; the content is the same without it.
 */
export function translateScope(
  context: PushContext,
  scope: ProxyScope,
  previous?: ScopeIr,
): ScopeIr {
  const secrets = (): Translated<readonly Secret[]> => translateSecrets(context, scope);
  return new LazyIr({ ...listsOf(context, scope), secrets }, previous);
}

function listsOf(context: PushContext, scope: ProxyScope): Omit<Lists, "secrets"> {
  return scope.kind === "outbound" ? outboundLists(context, scope) : workloadLists(context, scope);
}

/** A gateway has no redirected traffic: of what it may call, only clusters and endpoints count. */
function outboundLists(context: PushContext, scope: OutboundScope): Omit<Lists, "secrets"> {
  const redirected = scope.proxyType === "sidecar";
  return {
    clusters: () => translateClusters(context, scope),
    listeners: redirected ? () => translateOutboundListeners(context, scope) : NOTHING,
    routes: redirected ? () => translateOutboundRoutes(context, scope) : NOTHING,
    endpoints: () => translateEndpoints(context, scope),
  };
}

function workloadLists(context: PushContext, scope: WorkloadScope): Omit<Lists, "secrets"> {
  if (scope.proxyType === "router") {
    return {
      clusters: NOTHING,
      listeners: () => translateGatewayListeners(context, scope),
      routes: () => translateGatewayRoutes(context, scope),
      endpoints: () => [],
    };
  }
  return {
    clusters: () => translateInboundClusters(context, scope),
    listeners: () => translateInboundListeners(context, scope),
    routes: NOTHING,
    endpoints: () => [],
  };
}

interface MadeLists {
  clusters?: Translated<readonly Cluster[]>;
  listeners?: Translated<readonly Listener[]>;
  routes?: Translated<readonly RouteConfiguration[]>;
  secrets?: Translated<readonly Secret[]>;
}

/** Makes each list once, on demand; lets go of its predecessor's lists as it does. */
class LazyIr implements ScopeIr {
  readonly #lists: Lists;
  #previous: MadeLists = {};
  #clusters: Translated<readonly Cluster[]> | undefined;
  #listeners: Translated<readonly Listener[]> | undefined;
  #routes: Translated<readonly RouteConfiguration[]> | undefined;
  #endpoints: readonly EndpointAssignment[] | undefined;
  #secrets: Translated<readonly Secret[]> | undefined;

  constructor(lists: Lists, previous: ScopeIr | undefined) {
    this.#lists = lists;
    if (previous instanceof LazyIr) this.#previous = previous.#made();
  }

  get clusters(): readonly Cluster[] {
    this.#clusters ??= reused(this.#lists.clusters(), this.#previous.clusters);
    delete this.#previous.clusters;
    return this.#clusters.value;
  }

  get listeners(): readonly Listener[] {
    this.#listeners ??= reused(this.#lists.listeners(), this.#previous.listeners);
    delete this.#previous.listeners;
    return this.#listeners.value;
  }

  get routes(): readonly RouteConfiguration[] {
    this.#routes ??= reused(this.#lists.routes(), this.#previous.routes);
    delete this.#previous.routes;
    return this.#routes.value;
  }

  get endpoints(): readonly EndpointAssignment[] {
    this.#endpoints ??= this.#lists.endpoints();
    return this.#endpoints;
  }

  get secrets(): readonly Secret[] {
    this.#secrets ??= reused(this.#lists.secrets(), this.#previous.secrets);
    delete this.#previous.secrets;
    return this.#secrets.value;
  }

  /** A list that nobody has read since is as it was before, problems included. */
  get problems(): readonly IrProblem[] {
    const all = Object.values(this.#made()).flatMap((made) => made?.problems ?? []);
    return [...new Map(all.map((one) => [JSON.stringify(one), one])).values()];
  }

  /** Lists made so far, and those of before where they were not. */
  #made(): MadeLists {
    return {
      clusters: this.#clusters ?? this.#previous.clusters,
      listeners: this.#listeners ?? this.#previous.listeners,
      routes: this.#routes ?? this.#previous.routes,
      secrets: this.#secrets ?? this.#previous.secrets,
    };
  }
}

function reused<T extends { readonly name: string }>(
  made: Translated<readonly T[]>,
  previous: Translated<readonly T[]> | undefined,
): Translated<readonly T[]> {
  return { value: reuseByName(previous?.value, made.value), problems: made.problems };
}
