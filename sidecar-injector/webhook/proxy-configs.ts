/** Which ProxyConfig objects hold for a pod, and in which order. */

import type { KubeObject } from "#cluster/api/meta.ts";
import { matchesLabels } from "#cluster/api/selector.ts";
import type { Labels } from "#sidecar-injector/inject/pod-input.ts";
import type { RawProxyConfig } from "#sidecar-injector/inject/proxy-config.ts";
import type { SelectedProxyConfigs } from "#sidecar-injector/inject/settings.ts";

/** Istio's scopes: the root namespace's are the mesh's; a selector selects in its own namespace. */
export function selectProxyConfigs(
  objects: readonly KubeObject[],
  pod: { namespace: string; labels: Labels; rootNamespace: string },
): SelectedProxyConfigs {
  // What comes later wins, so the oldest of several comes last.
  const ordered = objects.toSorted((a, b) => (ageKey(a) < ageKey(b) ? 1 : -1));
  const of = (namespace: string, wanted: (selector: Labels | undefined) => boolean) =>
    ordered
      .filter(({ metadata }) => metadata.namespace === namespace)
      .filter((object) => wanted(selectorOf(object)))
      .map(asProxyConfig);
  const everything = (selector: Labels | undefined): boolean => selector === undefined;
  return {
    general: [
      ...of(pod.rootNamespace, everything),
      ...(pod.namespace === pod.rootNamespace ? [] : of(pod.namespace, everything)),
    ],
    workload: of(
      pod.namespace,
      (selector) => selector !== undefined && matchesLabels(selector, pod.labels),
    ),
  };
}

function ageKey({ metadata }: KubeObject): string {
  return `${metadata.creationTimestamp ?? ""} ${metadata.name}`;
}

/** Undefined where it selects the whole namespace. */
function selectorOf(object: KubeObject): Labels | undefined {
  const labels = field(field(object.spec, "selector"), "matchLabels");
  if (typeof labels !== "object" || labels === null) return undefined;
  const entries = Object.entries(labels).map(([key, value]) => [key, String(value)] as const);
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
}

/** The object's three fields by the names that MeshConfig and annotations use. */
function asProxyConfig(object: KubeObject): RawProxyConfig {
  const concurrency = field(object.spec, "concurrency");
  const proxyMetadata = field(object.spec, "environmentVariables");
  const image = field(object.spec, "image");
  return {
    ...(typeof concurrency === "number" && { concurrency }),
    ...(proxyMetadata !== undefined && { proxyMetadata }),
    ...(image !== undefined && { image }),
  };
}

function field(value: unknown, name: string): unknown {
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, name)) return undefined;
  return new Map(Object.entries(value)).get(name) as unknown;
}
