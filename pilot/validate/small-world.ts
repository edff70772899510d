import { type Change, keyOfChange } from "#pilot/model/change.ts";
import { type Hostname, objectKey, resolveHost } from "#pilot/model/name.ts";
import type { AnyConfigObject, ModelObject, VirtualService } from "#pilot/model/object.ts";
import { lookup } from "#pilot/model/object-index.ts";
import {
  type PushContext,
  createPushContext,
  destinationsOf,
  gatewaysOf,
  hostsOf,
  objectOf,
} from "#pilot/model/push-context.ts";

/** Objects of one host that are looked at; more than this are somebody's mistake or attack. */
const MAX_OF_HOST = 64;

/**
 * The part of the world that an object touches, with the object as it would be: translating that
 * costs what the object is worth, not what there is.
 */
export function smallWorld(
  context: PushContext,
  object: AnyConfigObject,
  changes: readonly Change[],
): PushContext {
  const taken = new Map<string, ModelObject>();
  const take = (objects: readonly (ModelObject | undefined)[]): void => {
    for (const one of objects.slice(0, MAX_OF_HOST)) if (one !== undefined) taken.set(one.key, one);
  };
  take([objectOf(context, objectKey("MeshConfig", "", "mesh"))]);
  for (const host of hostsTouched(context, object)) {
    take(lookup(context.indexes.servicesByHost, host));
    take(lookup(context.indexes.destinationRulesByHost, host));
    if (object.kind === "VirtualService") take(lookup(context.indexes.virtualServicesByHost, host));
  }
  if (object.kind === "VirtualService") take(gatewaysAndDelegates(context, object));
  const replaced = new Set<string>(changes.map(keyOfChange));
  const rest = [...taken.values()].filter(({ key }) => !replaced.has(key));
  return createPushContext([
    ...rest.map((one): Change => ({ type: "upsert", object: one })),
    ...changes,
  ]);
}

function hostsTouched(context: PushContext, object: AnyConfigObject): ReadonlySet<Hostname> {
  const { clusterDomain } = context.mesh;
  if (object.kind === "VirtualService") {
    const rules = [object, ...delegatesOf(context, object)];
    return new Set([
      ...hostsOf(object, clusterDomain),
      ...rules.flatMap((rule) => destinationsOf(rule, clusterDomain)),
    ]);
  }
  if (object.kind === "DestinationRule") return new Set(hostsOf(object, clusterDomain));
  if (object.kind !== "ServiceEntry") return new Set();
  const hosts = object.spec.hosts ?? [];
  return new Set(hosts.map((host) => resolveHost(host, object.namespace, clusterDomain)));
}

function gatewaysAndDelegates(
  context: PushContext,
  object: VirtualService,
): (ModelObject | undefined)[] {
  const gateways = gatewaysOf(object).map((name) => {
    const [namespace = "", gateway = ""] = name.split("/");
    return objectOf(context, objectKey("Gateway", namespace, gateway));
  });
  return [...gateways, ...delegatesOf(context, object)];
}

function delegatesOf(context: PushContext, object: VirtualService): VirtualService[] {
  return (object.spec.http ?? []).flatMap(({ delegate }) => {
    if (delegate?.name === undefined) return [];
    const namespace = delegate.namespace ?? object.namespace;
    const found = objectOf(context, objectKey("VirtualService", namespace, delegate.name));
    return found?.kind === "VirtualService" ? [found] : [];
  });
}
