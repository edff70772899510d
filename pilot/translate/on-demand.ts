/**
 * Clusters on demand: a proxy asks for a cluster when the first request or connection wants to go
 * there. What is used without a request of its own can't be asked for, and is sent unasked.
 */

import type { Cluster } from "#pilot/ir/cluster.ts";
import type { FilterChain, Listener } from "#pilot/ir/listener.ts";
import { BLACK_HOLE, type ClusterName, PASSTHROUGH } from "#pilot/ir/name.ts";
import { cached } from "#pilot/model/cached.ts";
import { isMirrored } from "#pilot/model/mirrors.ts";
import type { Service } from "#pilot/model/object.ts";
import type { PushContext } from "#pilot/model/push-context.ts";
import type { OutboundScope } from "#pilot/model/scope.ts";
import { isCollector } from "#pilot/model/telemetries.ts";
import type { Translated } from "./result.ts";

type Clusters = Translated<readonly Cluster[]>;

/** The clusters of a service as the scope's proxies get them: at once, or when they ask. */
export function deferredClusters(
  context: PushContext,
  scope: OutboundScope,
  { service, made }: { readonly service: Service; readonly made: Clusters },
): Clusters {
  if (scope.isOnDemand === undefined || service.resolution === "dns-on-request") return made;
  // Listeners name collectors, and a mirrored request waits for nothing.
  if (isCollector(context.mesh, service) || isMirrored(context, service.host)) return made;
  return deferred(made);
}

const deferred = cached((made: Clusters): Clusters => ({
  ...made,
  value: made.value.map((cluster) => ({ ...cluster, onDemand: true as const })),
}));

/** The listener with connections that ask for clusters which aren't there. */
export function askingListener(listener: Listener): Listener {
  const { defaultFilterChain } = listener;
  return {
    ...listener,
    filterChains: listener.filterChains.map(askingChain),
    ...(defaultFilterChain && { defaultFilterChain: askingChain(defaultFilterChain) }),
  };
}

function askingChain(chain: FilterChain): FilterChain {
  const { connection } = chain;
  const isFixed =
    connection.kind === "tcp"
      ? connection.clusters.every(({ cluster }) => FIXED.has(cluster))
      : connection.routes.kind === "inline";
  return isFixed ? chain : { ...chain, connection: { ...connection, asksForClusters: true } };
}

const FIXED: ReadonlySet<ClusterName> = new Set([BLACK_HOLE, PASSTHROUGH]);
