/**
 * What of the outbound lists a change can touch: the pieces of which hosts (`impact.ts` says which
 * lists). Found by indexes, for all scopes at once; a host too many only costs its rebuilding.
 */

import { type Change, keyOfChange } from "./change.ts";
import { covers, isWildcard } from "./host.ts";
import { type Hostname, indexedHost } from "./name.ts";
import type { DestinationRule, ModelObject, Service, VirtualService } from "./object.ts";
import { coveringKeys, lookup } from "./object-index.ts";
import { type PushContext, destinationsOf, hostsOf, objectOf } from "./push-context.ts";

/** Pieces by host that may differ: of these hosts only, or any. */
export type Extent = "all" | ReadonlySet<Hostname>;

const NOTHING: ReadonlySet<Hostname> = new Set();

/**
 * The pieces that may differ after a change. `previous` and `next` are the worlds before and after
 * it (or after the batch that holds it).
 */
export function extentOf(change: Change, previous: PushContext, next: PushContext): Extent {
  const key = keyOfChange(change);
  const hosts = new Set<Hostname>();
  for (const object of [objectOf(previous, key), objectOf(next, key)]) {
    if (object === undefined) continue;
    // What an object was part of can have changed in the same batch: both worlds are asked.
    for (const context of [previous, next]) {
      const touched = hostsTouchedBy(object, context);
      if (touched === "all") return "all";
      for (const host of touched) hosts.add(host);
    }
  }
  return hosts;
}

/** Both together. */
export function joinExtents(left: Extent | undefined, right: Extent): Extent {
  if (left === undefined || right === "all") return right;
  return left === "all" ? left : new Set([...left, ...right]);
}

/** Everything is always right, and never cheap. */
function hostsTouchedBy(object: ModelObject, context: PushContext): Extent | Iterable<Hostname> {
  switch (object.kind) {
    case "EndpointSet":
      return [object.host];
    case "VirtualService":
      return touchedByRule(object, context);
    case "DestinationRule":
      return touchedByDestinationRule(object, context);
    case "Service":
      return touchedByService(object, context);
    case "MeshConfig":
    case "NetworkGateways":
    case "Sidecar":
    case "Gateway":
    case "EnvoyFilter":
    case "Telemetry":
    case "ProxyConfig":
    case "Credential":
      return "all";
    case "ServiceEntry":
    case "Workload":
    case "WorkloadEntry":
    case "WorkloadGroup":
    case "Namespace":
      return NOTHING;
  }
}

/** A Sidecar may let its proxies see destinations only because a rule leads there. */
function* touchedByRule(rule: VirtualService, context: PushContext): Generator<Hostname> {
  yield* routedBy(rule, context);
  for (const host of destinationsOf(rule, context.mesh.clusterDomain)) {
    yield host;
    for (const { aliasOf } of lookup(context.indexes.servicesByHost, host)) {
      if (aliasOf !== undefined) yield aliasOf;
    }
  }
}

function* touchedByDestinationRule(
  rule: DestinationRule,
  context: PushContext,
): Generator<Hostname> {
  for (const name of hostsOf(rule, context.mesh.clusterDomain)) {
    // Also where it is nobody's yet: lists that aren't in pieces hold what the rule names.
    yield name;
    for (const host of servicesUnder(name, context)) {
      yield host;
      yield* routedTo(host, context);
    }
  }
}

/** Its aliases, its original, and what rules make of it and of hosts that share a rule with it. */
function* touchedByService({ host, aliasOf }: Service, context: PushContext): Generator<Hostname> {
  for (const one of aliasOf === undefined ? [host] : [host, aliasOf]) {
    yield one;
    for (const alias of lookup(context.indexes.servicesByAliasOf, one)) yield alias.host;
    yield* routedTo(one, context);
    for (const name of coveringKeys(context.indexes.virtualServicesByHost, one)) {
      for (const rule of lookup(context.indexes.virtualServicesByHost, name)) {
        yield* hostsOf(rule, context.mesh.clusterDomain);
      }
    }
  }
}

/** Hosts with rules that lead to this one. */
function* routedTo(host: Hostname, context: PushContext): Generator<Hostname> {
  for (const rule of lookup(context.indexes.virtualServicesByDestination, host)) {
    yield* routedBy(rule, context);
  }
}

/** Hosts whose requests a rule may have a say in: its own, or of those that delegate to it. */
function* routedBy(rule: VirtualService, context: PushContext): Generator<Hostname> {
  const roots = lookup(context.indexes.virtualServicesByDelegate, rule.key);
  for (const one of [rule, ...roots]) {
    for (const name of hostsOf(one, context.mesh.clusterDomain)) {
      yield name;
      if (isWildcard(name)) yield* servicesUnder(name, context);
    }
  }
}

function* servicesUnder(name: Hostname, { indexes }: PushContext): Generator<Hostname> {
  if (!isWildcard(name)) yield name;
  else {
    for (const host of indexes.servicesByHost.lists.keys()) {
      if (covers(name, host)) yield indexedHost(host);
    }
  }
}
