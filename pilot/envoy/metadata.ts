/**
 * `filter_metadata.istio`: what istioctl and access logs read about where a resource comes from.
 */

import type { Origin } from "#pilot/ir/origin.ts";

const KINDS = new Map([
  ["VirtualService", "virtual-service"],
  ["DestinationRule", "destination-rule"],
]);

/** The path of the first configuration object among the origins; undefined where there is none. */
export function configPath(origins: readonly Origin[]): string | undefined {
  for (const { object } of origins) {
    const [kind = "", namespace = "", name = ""] = object.split("/");
    const resource = KINDS.get(kind);
    if (resource !== undefined) {
      return `/apis/networking.istio.io/v1/namespaces/${namespace}/${resource}/${name}`;
    }
  }
  return undefined;
}

/** Metadata of the namespace `istio`, absent when there is nothing to say. */
export function istioMetadata(fields: Record<string, unknown>): { metadata?: object } {
  const known = Object.entries(fields).filter(([, value]) => value !== undefined);
  if (known.length === 0) return {};
  return { metadata: { filterMetadata: { istio: Object.fromEntries(known) } } };
}
