/** Patches of filters: of a listener, of a chain, and of HTTP requests inside a chain's filter. */

import type { JsonObject } from "#pilot/proto/json.ts";
import { editList } from "./edit-list.ts";
import { isObject, messagesIn, objectIn, textIn } from "./fields.ts";
import { HTTP_CONNECTION_MANAGER, currentName } from "./filter-names.ts";
import {
  httpFilterTarget,
  isChain,
  isListener,
  listenerFilterTarget,
  networkFilterTarget,
} from "./listener-match.ts";
import { mergePacked, packedType } from "./merge.ts";
import { type Pass, type Patch, cannot, isMerge, optionsOf, patchesTo } from "./patch.ts";
import { patchRouteConfiguration } from "./route.ts";

const HCM = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";

type Target = ((filter: JsonObject) => boolean) | undefined;

/** The listener with its own filters patched. */
export function patchListenerFilters(pass: Pass, listener: JsonObject): JsonObject {
  let filters = messagesIn(listener, "listenerFilters");
  const before = filters;
  for (const patch of patchesTo(pass.set, "LISTENER_FILTER")) {
    if (!isListener(patch, listener)) continue;
    const target = listenerFilterTarget(patch);
    // A merge changes what is named only: without a name it would change all.
    filters =
      isMerge(patch) && target === undefined ? filters : patched(pass, patch, filters, target);
  }
  return filters === before ? listener : { ...listener, listenerFilters: [...filters] };
}

/** The chain with its filters patched, and what is inside them. */
export function patchFilters(pass: Pass, listener: JsonObject, chain: JsonObject): JsonObject {
  let filters = messagesIn(chain, "filters");
  const before = filters;
  const patches = patchesTo(pass.set, "NETWORK_FILTER").filter(
    (patch) => isListener(patch, listener) && isChain(patch, listener, chain),
  );
  // As in Istio: first what comes and goes, then what is changed.
  for (const patch of [...patches.filter((one) => !isMerge(one)), ...patches.filter(isMerge)]) {
    filters = patched(pass, patch, filters, networkFilterTarget(patch));
  }
  filters = mapped(filters, (filter) => patchManager(pass, listener, chain, filter));
  return filters === before ? chain : { ...chain, filters: [...filters] };
}

/** Of a filter that handles HTTP: its routes, if it holds them itself, and its own filters. */
function patchManager(
  pass: Pass,
  listener: JsonObject,
  chain: JsonObject,
  filter: JsonObject,
): JsonObject {
  const config = objectIn(filter, "typedConfig");
  if (currentName(textIn(filter, "name")) !== HTTP_CONNECTION_MANAGER) return filter;
  if (packedType(config) !== HCM) return filter;
  let manager = config;
  const routes = manager["routeConfig"];
  if (isObject(routes)) {
    const routeConfig = patchRouteConfiguration(pass, routes);
    if (routeConfig !== routes) manager = { ...manager, routeConfig };
  }
  const before = messagesIn(manager, "httpFilters");
  let httpFilters = before;
  const patches = patchesTo(pass.set, "HTTP_FILTER").filter((patch) => {
    if (!isListener(patch, listener) || !isChain(patch, listener, chain)) return false;
    return networkFilterTarget(patch)?.(filter) ?? true;
  });
  for (const patch of [...patches.filter((one) => !isMerge(one)), ...patches.filter(isMerge)]) {
    httpFilters = patched(pass, patch, httpFilters, httpFilterTarget(patch));
  }
  if (httpFilters !== before) manager = { ...manager, httpFilters: [...httpFilters] };
  return manager === config ? filter : { ...filter, typedConfig: manager };
}

/** A merge is for all that is named, or for all. */
function patched(
  pass: Pass,
  patch: Patch,
  filters: readonly JsonObject[],
  target: Target,
): readonly JsonObject[] {
  const after = isMerge(patch)
    ? mapped(filters, (one) => ((target?.(one) ?? true) ? mergeFilter(pass, patch, one) : one))
    : editList(filters, patch, patch.value, target);
  if (after !== filters) pass.touched.add(patch);
  return after;
}

/** The name is replaced and the configuration merged inside, as both are of the same type. */
function mergeFilter(pass: Pass, patch: Patch, filter: JsonObject): JsonObject {
  const config = filter["typedConfig"];
  if (!isObject(config)) return filter;
  const { name, typedConfig: given, ...rest } = patch.value;
  let merged = config;
  if (isObject(given)) {
    const both = mergePacked(config, given, optionsOf(patch));
    if (both === undefined) {
      // A patch of all filters is meant for those of its type.
      if (networkFilterTarget(patch) === undefined) return filter;
      const types = `${packedType(given) ?? "nothing"} into ${packedType(config) ?? "nothing"}`;
      cannot(pass, patch, `cannot merge ${types} of filter ${textIn(filter, "name")}`);
      return filter;
    }
    merged = both;
  }
  return { ...filter, ...rest, ...(name === undefined ? {} : { name }), typedConfig: merged };
}

/** The same list where every element stays as it is. */
export function mapped<T>(list: readonly T[], change: (one: T) => T): readonly T[] {
  const after = list.map(change);
  return after.every((one, at) => one === list[at]) ? list : after;
}
