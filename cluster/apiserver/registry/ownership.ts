/** managedFields on the way of a write: they travel beside the object and go into it at the end. */

import type { KubeObject } from "#cluster/api/meta.ts";
import { parseEntries, type Entries } from "#cluster/apiserver/apply/managed-fields.ts";
import { trackUpdate } from "#cluster/apiserver/apply/track.ts";
import type { Kind } from "#cluster/apiserver/kinds/kind.ts";

/**
 * What a write means for who manages which fields. `update`: what changes is the writer's.
 * `applied`: the object's managedFields say so. `kept`: all stays as it was.
 */
export type Ownership = "update" | "applied" | "kept";

/** The entries after a write of `object`, which replaces `old`. */
export function ownersOf(
  by: { kind: Kind; manager: string; subresource: string; now: string },
  ownership: Ownership,
  state: { old?: Readonly<KubeObject>; object: KubeObject; given: unknown; entries: Entries },
): Entries {
  if (ownership === "kept") return state.entries;
  if (ownership === "applied") return parseEntries(state.given) ?? [];
  const { kind, manager: name, subresource, now } = by;
  return trackUpdate({ kind, name, subresource, now }, state, state.entries);
}

/** Takes them out of the object; undefined where the client has written none. */
export function takeManaged({ metadata }: KubeObject): unknown {
  const { managedFields } = metadata;
  delete metadata.managedFields;
  return managedFields;
}

export function setManaged({ metadata }: KubeObject, entries: Entries): void {
  if (entries.length > 0) metadata.managedFields = [...entries];
  else delete metadata.managedFields;
}
