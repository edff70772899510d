/** Which EnvoyFilters, and which patches of them, are for a proxy (Istio, "EnvoyFilter"). */

import { RE2JS } from "re2js";
import type { EnvoyConfigPatch } from "#crds/types/networking-v1.ts";
import { matchesAll } from "./labels.ts";
import type { ObjectKey } from "./name.ts";
import { type EnvoyFilter, compareAge } from "./object.ts";
import { lookup } from "./object-index.ts";
import type { Proxy } from "./proxy.ts";
import type { PushContext } from "./push-context.ts";
import { selectsProxy } from "./workload-selection.ts";

/** Patches of one filter, by their place in its list. */
export interface PatchRef {
  readonly filter: ObjectKey;
  readonly indexes: readonly number[];
}

/** What a scope is to a patch: each has exactly one part of the configuration. */
export type PatchContext = "SIDECAR_INBOUND" | "SIDECAR_OUTBOUND" | "GATEWAY";

/** Longer patterns match nothing, as in Istio: they cost too much to compile. */
const MAX_PATTERN = 1024;

/**
 * The patches for one of a proxy's two scopes in the order in which they are made: by priority, the
 * root namespace's first, then by age and name. Undefined where there are none.
 */
export function patchesFor(
  context: PushContext,
  proxy: Proxy,
  scope: "outbound" | "workload",
): readonly PatchRef[] | undefined {
  const { indexes, mesh } = context;
  if (indexes.envoyFiltersByNamespace.lists.size === 0) return undefined;
  const namespaces = new Set([mesh.rootNamespace, proxy.namespace]);
  const filters = [...namespaces]
    .flatMap((namespace) => lookup(indexes.envoyFiltersByNamespace, namespace))
    .filter((filter) =>
      selectsProxy(filter, proxy, {
        labels: filter.spec.workloadSelector?.labels,
        targets: filter.spec.targetRefs,
      }),
    );
  const refs = filters
    .toSorted((left, right) => compareFilters(left, right, mesh.rootNamespace))
    .map((filter) => ({ filter: filter.key, indexes: indexesFor(filter, proxy, scope) }))
    .filter((ref) => ref.indexes.length > 0);
  return refs.length === 0 ? undefined : refs;
}

function compareFilters(left: EnvoyFilter, right: EnvoyFilter, root: string): number {
  return (
    (left.spec.priority ?? 0) - (right.spec.priority ?? 0) ||
    Number(right.namespace === root) - Number(left.namespace === root) ||
    compareAge(left, right)
  );
}

function indexesFor(filter: EnvoyFilter, proxy: Proxy, scope: "outbound" | "workload"): number[] {
  return (filter.spec.configPatches ?? []).flatMap((patch, index) =>
    isForScope(patch, proxy, scope) && matchesProxy(filter, index, proxy) ? [index] : [],
  );
}

/**
 * A gateway's clusters are in its outbound scope and everything else in its workload scope.
 * Extensions are named by filters of either side, so they are served once, in the outbound scope.
 */
function isForScope(
  patch: EnvoyConfigPatch,
  proxy: Proxy,
  scope: "outbound" | "workload",
): boolean {
  if (patch.applyTo === "EXTENSION_CONFIG") return scope === "outbound";
  const wanted = patch.match?.context ?? "ANY";
  if (wanted !== "ANY" && wanted !== patchContextOf(proxy.type, scope)) return false;
  return proxy.type !== "router" || (patch.applyTo === "CLUSTER") === (scope === "outbound");
}

export function patchContextOf(
  proxyType: Proxy["type"],
  scope: "outbound" | "workload",
): PatchContext {
  if (proxyType === "router") return "GATEWAY";
  return scope === "outbound" ? "SIDECAR_OUTBOUND" : "SIDECAR_INBOUND";
}

function matchesProxy(filter: EnvoyFilter, index: number, proxy: Proxy): boolean {
  const wanted = filter.spec.configPatches?.[index]?.match?.proxy;
  if (wanted === undefined) return true;
  const { proxyVersion = "", metadata = {} } = wanted;
  if (proxyVersion !== "") {
    const pattern = versionPattern(proxyVersion);
    if (pattern === undefined || proxy.istioVersion === "") return false;
    if (!pattern.matcher(proxy.istioVersion).find()) return false;
  }
  return matchesAll(metadata, proxy.metadata);
}

const patterns = new Map<string, RE2JS | undefined>();
const MAX_PATTERNS = 256;

function versionPattern(text: string): RE2JS | undefined {
  if (patterns.has(text)) return patterns.get(text);
  if (patterns.size >= MAX_PATTERNS) patterns.clear();
  const compiled = compile(text);
  patterns.set(text, compiled);
  return compiled;
}

function compile(text: string): RE2JS | undefined {
  if (text.length > MAX_PATTERN) return undefined;
  try {
    return RE2JS.compile(text);
  } catch {
    // The patch is for no proxy; its EnvoyFilter is told so where patches are decoded.
    return undefined;
  }
}

/** Whether a pattern for versions can be used at all. */
export function isVersionPattern(text: string): boolean {
  return versionPattern(text) !== undefined;
}
