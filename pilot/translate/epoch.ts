/**
 * What stays valid as long as a scope's services, destination rules and settings do, which is most
 * of the time: while only routing rules and endpoints change, everything else is one look into a
 * map.
 */

import type { EndpointAssignment } from "#pilot/ir/endpoint.ts";
import type { Route, VirtualHost } from "#pilot/ir/route.ts";
import { cached } from "#pilot/model/cached.ts";
import type { MeshConfig } from "#pilot/model/mesh-config.ts";
import type { DestinationRule, EndpointSet, Service, VirtualService } from "#pilot/model/object.ts";
import type { ObjectIndex } from "#pilot/model/object-index.ts";
import type { PushContext } from "#pilot/model/push-context.ts";
import type { ProxyScope } from "#pilot/model/scope.ts";
import { type VisibleServices, visibleServices } from "#pilot/model/visible.ts";
import type { MergedRule } from "./merged-rule.ts";
import type { Translated } from "./result.ts";

export interface Epoch {
  readonly visible: VisibleServices;
  /** The merged DestinationRule of a service. */
  readonly rules: Map<Service, MergedRule | undefined>;
  /** Routes of a rule by viewpoint, for rules that read nothing else of the world. */
  readonly routes: WeakMap<VirtualService, Map<string, Translated<readonly Route[]>>>;
  /** The virtual host of a service's port, and the rule that it was made by. */
  readonly hosts: Map<Service, Map<number, HostEntry>>;
  readonly endpoints: Map<Service, EndpointEntry>;
}

export interface HostEntry {
  readonly rule: VirtualService | undefined;
  readonly host: Translated<VirtualHost>;
}

export interface EndpointEntry {
  readonly sets: readonly EndpointSet[];
  readonly assignments: readonly EndpointAssignment[];
}

/** The epoch of a scope: the same object until something that it is about changes. */
export function epochOf(context: PushContext, scope: ProxyScope): Epoch {
  return epoch(
    visibleServices(context, scope),
    context.indexes.destinationRulesByHost,
    context.mesh,
    scope.namespace,
    JSON.stringify([
      scope.labels,
      scope.kind === "outbound" ? [scope.locality, scope.node, scope.network, scope.proxyType] : "",
    ]),
  );
}

const epoch = cached(
  (
    visible: VisibleServices,
    _rules: ObjectIndex<DestinationRule>,
    _mesh: MeshConfig,
    _namespace: string,
    _labels: string,
  ): Epoch => ({
    visible,
    rules: new Map(),
    routes: new WeakMap(),
    hosts: new Map(),
    endpoints: new Map(),
  }),
  16,
);
