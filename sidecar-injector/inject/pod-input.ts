/** A pod as it comes in: untrusted, and not yet completed by the API server. */

import type { Pod } from "#cluster/api/generated/core-v1.ts";
import type { PartialMeta } from "#cluster/api/meta.ts";

export type Labels = Readonly<Record<string, string>>;

/** A pod as an admission request or a template carries it. */
export type PodInput = Omit<Pod, "metadata"> & { metadata?: PartialMeta };

/** Reads a key of an untrusted map. */
export function own(map: Labels, key: string): string | undefined {
  return Object.hasOwn(map, key) ? map[key] : undefined;
}
