/** Which Telemetry objects are about a proxy (Istio, "Telemetry"). */

import type { PolicyTarget } from "#crds/types/networking-v1.ts";
import { providerNamed } from "./extension-provider.ts";
import type { ObjectKey } from "./name.ts";
import type { Telemetry } from "./object.ts";
import { lookup } from "./object-index.ts";
import type { Proxy } from "./proxy.ts";
import { type PushContext, objectOf } from "./push-context.ts";
import { selectsProxy } from "./workload-selection.ts";

/**
 * The oldest general one of the root namespace, the oldest general one of the proxy's own, then
 * those of its namespace that select it. Undefined where there are none.
 */
export function telemetriesFor(
  context: PushContext,
  proxy: Pick<Proxy, "namespace" | "labels">,
): readonly ObjectKey[] | undefined {
  const { indexes, mesh } = context;
  if (indexes.telemetriesByNamespace.lists.size === 0) return undefined;
  const own = lookup(indexes.telemetriesByNamespace, proxy.namespace);
  const root = lookup(indexes.telemetriesByNamespace, mesh.rootNamespace).find(isGeneral);
  const general = own.find(isGeneral);
  const selecting = own.filter(
    (one) =>
      !isGeneral(one) &&
      selectsProxy(one, proxy, {
        labels: one.spec.selector?.matchLabels,
        targets: targetsOfTelemetry(one),
      }),
  );
  const keys = [root, general, ...selecting].flatMap((one) => (one === undefined ? [] : [one.key]));
  return keys.length === 0 ? undefined : [...new Set(keys)];
}

export function targetsOfTelemetry({ spec }: Telemetry): readonly PolicyTarget[] {
  return [...(spec.targetRefs ?? []), ...(spec.targetRef === undefined ? [] : [spec.targetRef])];
}

function isGeneral(one: Telemetry): boolean {
  return (
    Object.keys(one.spec.selector?.matchLabels ?? {}).length === 0 &&
    targetsOfTelemetry(one).length === 0
  );
}

/** The objects behind the keys of a scope. */
export function telemetriesOf(
  context: PushContext,
  keys: readonly ObjectKey[] = [],
): readonly Telemetry[] {
  return keys.flatMap((key) => {
    const object = objectOf(context, key);
    return object?.kind === "Telemetry" ? [object] : [];
  });
}

/**
 * The proxy's own name where a collector is to be told it: proxies that trace to one of these are
 * classes by workload. Others share their scope with the namespace.
 */
export function tracedName(
  context: PushContext,
  proxy: Proxy,
  telemetry: readonly ObjectKey[] | undefined,
): string | undefined {
  const { defaultProviders, extensionProviders } = context.mesh;
  const names = new Set([
    ...defaultProviders.tracing,
    ...telemetriesOf(context, telemetry).flatMap((one) =>
      (one.spec.tracing ?? []).flatMap((rule) => (rule.providers ?? []).map(({ name }) => name)),
    ),
  ]);
  if (names.size === 0) return undefined;
  const asks = [...names].some((name) => {
    const kind = providerNamed(extensionProviders, name)?.kind;
    return kind === "opentelemetry" || kind === "datadog";
  });
  return asks ? proxy.serviceCluster || proxy.name : undefined;
}
