/** Which Telemetry objects are about a proxy (Istio, "Telemetry"). */

import type { PolicyTarget } from "#crds/types/networking-v1.ts";
import { egressListeners, importsService } from "./egress.ts";
import {
  type CollectorAddress,
  type ExtensionProvider,
  providerNamed,
} from "./extension-provider.ts";
import type { MeshConfig } from "./mesh-config.ts";
import { type Hostname, type ObjectKey, hostname, indexedHost } from "./name.ts";
import { type Service, type Sidecar, type Telemetry, compareText } from "./object.ts";
import { lookup } from "./object-index.ts";
import type { Proxy } from "./proxy.ts";
import { type PushContext, objectOf } from "./push-context.ts";
import { isServiceVisible } from "./visibility.ts";
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

/** Names of the providers that logs and traces of a proxy may go to. */
function providersNamed(
  context: PushContext,
  telemetry: readonly ObjectKey[] | undefined,
): ExtensionProvider[] {
  const { defaultProviders, extensionProviders } = context.mesh;
  const objects = telemetriesOf(context, telemetry);
  const rules = objects.flatMap(({ spec }) => [
    ...(spec.accessLogging ?? []),
    ...(spec.tracing ?? []),
  ]);
  const names = new Set([
    ...defaultProviders.accessLogging,
    ...defaultProviders.tracing,
    ...rules.flatMap((rule) => (rule.providers ?? []).map(({ name }) => name)),
  ]);
  return [...names].flatMap((name) => providerNamed(extensionProviders, name) ?? []);
}

/**
 * Of the providers that a proxy would tell something those whose service it can call: a proxy
 * refuses to name a cluster that it hasn't got. Undefined where none needs a service.
 */
export function collectorsFor(
  context: PushContext,
  proxy: Pick<Proxy, "namespace">,
  telemetry: readonly ObjectKey[] | undefined,
  sidecar: Sidecar | undefined,
): readonly string[] | undefined {
  const called = providersNamed(context, telemetry).flatMap((provider) =>
    "service" in provider ? [provider] : [],
  );
  if (called.length === 0) return undefined;
  const imported =
    sidecar === undefined
      ? undefined
      : egressListeners(sidecar, proxy.namespace).flatMap((listener) => listener.hosts);
  return called
    .filter((provider) => {
      const { host, namespace } = addressOfCollector(provider);
      return lookup(context.indexes.servicesByHost, indexedHost(host)).some(
        (service) =>
          (namespace === undefined || service.namespace === namespace) &&
          service.ports.some((port) => port.number === provider.port) &&
          isServiceVisible(service, context.mesh, proxy.namespace) &&
          (imported === undefined || importsService(imported, service)),
      );
    })
    .map((provider) => provider.name)
    .toSorted(compareText);
}

/** Whether scopes have to be looked at again because this service comes, goes or changes. */
export function isCollector(mesh: MeshConfig, service: Service): boolean {
  return mesh.extensionProviders.some(
    (one) => "service" in one && addressOfCollector(one).host === service.host,
  );
}

/** `namespace/host` or `host`. */
export function addressOfCollector({ service }: CollectorAddress): {
  host: Hostname;
  namespace?: string;
} {
  const [first = "", second] = service.split("/");
  return second === undefined
    ? { host: hostname(first) }
    : { host: hostname(second), namespace: first };
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
  const asks = providersNamed(context, telemetry).some(
    ({ kind }) => kind === "opentelemetry" || kind === "datadog",
  );
  return asks ? proxy.serviceCluster || proxy.name : undefined;
}
