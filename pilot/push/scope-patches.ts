/** The patches of a scope, from the EnvoyFilters that it names. */

import { type FilterSource, decodeFilter } from "#pilot/envoy/patch/decode.ts";
import type { ApplyTo, Patch, PatchContext, PatchSet } from "#pilot/envoy/patch/patch.ts";
import type { IrProblem } from "#pilot/ir/scope-ir.ts";
import { cached } from "#pilot/model/cached.ts";
import { type PatchRef, isVersionPattern, patchContextOf } from "#pilot/model/envoy-filters.ts";
import type { EnvoyFilter } from "#pilot/model/object.ts";
import { type PushContext, objectOf } from "#pilot/model/push-context.ts";
import type { ProxyScope } from "#pilot/model/scope.ts";
import { isGatewayTarget } from "#pilot/model/workload-selection.ts";

/** Undefined without patches; the same object for as long as the filters are, for all scopes. */
export function patchesOf(context: PushContext, scope: ProxyScope): PatchSet | undefined {
  const refs = scope.patches ?? [];
  const filters = refs.flatMap(({ filter }) => {
    const object = objectOf(context, filter);
    return object?.kind === "EnvoyFilter" ? [object] : [];
  });
  const [first] = filters;
  if (first === undefined) return undefined;
  return patchSet(
    first,
    filters,
    JSON.stringify(refs),
    patchContextOf(scope.proxyType, scope.kind),
    scope.kind === "workload" && scope.proxyType === "router"
      ? JSON.stringify(scope.targets.map(({ targetPort, port }) => [targetPort, port.number]))
      : "[]",
  );
}

const patchSet = cached(
  (
    _first: EnvoyFilter,
    filters: readonly EnvoyFilter[],
    refsText: string,
    context: PatchContext,
    portsText: string,
  ): PatchSet => {
    const refs = JSON.parse(refsText) as readonly PatchRef[];
    const patches = new Map<ApplyTo, Patch[]>();
    for (const filter of filters) {
      const decoded = decodeFilter(filter satisfies FilterSource).patches;
      const { indexes = [] } = refs.find((ref) => ref.filter === filter.key) ?? {};
      for (const patch of indexes.map((index) => decoded[index])) {
        if (patch === undefined) continue;
        patches.set(patch.applyTo, [...(patches.get(patch.applyTo) ?? []), patch]);
      }
    }
    const servicePorts = new Map<number, Set<number>>();
    for (const [target, port] of JSON.parse(portsText) as [number, number][]) {
      servicePorts.set(target, (servicePorts.get(target) ?? new Set()).add(port));
    }
    return { context, patches, servicePorts };
  },
);

/** What is wrong with EnvoyFilters themselves, whether a proxy uses them or not. */
export function problemsOfFilters(context: PushContext): IrProblem[] {
  const problems: IrProblem[] = [];
  for (const filters of context.indexes.envoyFiltersByNamespace.lists.values()) {
    for (const filter of filters) problems.push(...problemsOfFilter(filter));
  }
  return problems;
}

const problemsOfFilter = cached((filter: EnvoyFilter): readonly IrProblem[] => {
  const tell = (path: string, message: string): IrProblem => ({
    object: filter.key,
    path,
    severity: "error",
    reason: "NotApplicable",
    message,
  });
  const targets = (filter.spec.targetRefs ?? []).flatMap((target, at) =>
    isGatewayTarget(target)
      ? []
      : [
          tell(
            `spec.targetRefs[${at}]`,
            `${target.kind} has no proxies: only a Gateway can be one`,
          ),
        ],
  );
  const versions = (filter.spec.configPatches ?? []).flatMap((patch, at) => {
    const pattern = patch.match?.proxy?.proxyVersion ?? "";
    const path = `spec.configPatches[${at}].match.proxy.proxyVersion`;
    return pattern === "" || isVersionPattern(pattern)
      ? []
      : [tell(path, "is no regular expression (RE2): it matches no proxy")];
  });
  return [...decodeFilter(filter).problems, ...targets, ...versions];
});
