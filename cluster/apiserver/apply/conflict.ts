/** Fields that an applier wants otherwise than those who own them, in Kubernetes' words. */

import type { ManagedFieldsEntry } from "#cluster/api/meta.ts";
import { statusError, type StatusError } from "#cluster/api/status-error.ts";
import { pathsOf, type FieldSet } from "./field-set.ts";
import { identifier } from "./managed-fields.ts";
import { showPath } from "./path-element.ts";

export interface Conflict {
  owner: ManagedFieldsEntry;
  fields: FieldSet;
}

/** 409 with a cause for every field. */
export function applyConflict(conflicts: readonly Conflict[]): StatusError {
  const sorted = conflicts.toSorted((a, b) => (identifier(a.owner) < identifier(b.owner) ? -1 : 1));
  const found = sorted.flatMap(({ owner, fields }) =>
    pathsOf(fields).map((path) => ({ owner, field: showPath(path) })),
  );
  const causes = found.map(({ owner, field }) => ({
    reason: "FieldManagerConflict",
    message: `conflict with ${nameOf(owner)}`,
    field,
  }));
  return statusError("Conflict", messageOf(sorted, found), { causes });
}

function messageOf(
  conflicts: readonly Conflict[],
  found: readonly { owner: ManagedFieldsEntry; field: string }[],
): string {
  const [first] = found;
  if (found.length === 1 && first !== undefined) {
    return `Apply failed with 1 conflict: conflict with ${nameOf(first.owner)}: ${first.field}`;
  }
  const lines = conflicts.flatMap(({ owner }) => [
    `conflicts with ${nameOf(owner)}:`,
    ...found.filter((one) => one.owner === owner).map(({ field }) => `- ${field}`),
  ]);
  return `Apply failed with ${found.length} conflicts: ${lines.join("\n")}`;
}

function nameOf({ manager, operation, apiVersion, subresource }: ManagedFieldsEntry): string {
  const name = JSON.stringify(manager ?? "");
  const where = subresource === undefined ? "" : ` with subresource ${JSON.stringify(subresource)}`;
  return `${name}${where}${operation === "Update" ? ` using ${apiVersion}` : ""}`;
}
