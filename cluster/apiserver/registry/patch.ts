/** patch: a body and its media type → a change for `updateObject`. */

import type { KubeObject } from "#cluster/api/meta.ts";
import { statusError } from "#cluster/api/status-error.ts";
import type { Kind } from "#cluster/apiserver/kinds/kind.ts";
import { applyJsonPatch } from "#cluster/apiserver/patch/json-patch.ts";
import { applyMergePatch } from "#cluster/apiserver/patch/merge-patch.ts";
import type { PatchResult } from "#cluster/apiserver/patch/result.ts";
import { applyStrategicMergePatch } from "#cluster/apiserver/patch/strategic-merge.ts";
import { groupResource, invalid } from "./errors.ts";

const JSON_PATCH = "application/json-patch+json";
const MERGE_PATCH = "application/merge-patch+json";
const STRATEGIC_MERGE_PATCH = "application/strategic-merge-patch+json";
/** Not a change of the object as it is: `apply.ts` does it. */
export const APPLY_PATCH = "application/apply-patch+yaml";

/** Applies the patch to a document; throws when it doesn't fit. */
export type ApplyPatch = (document: unknown) => unknown;

/** Throws UnsupportedMediaType for what this kind can't be patched with. */
export function parsePatch(kind: Kind, mediaType: string, patch: unknown): ApplyPatch {
  const apply = patchFunction(kind, mediaType, patch);
  return (document) => {
    const patched = apply(document);
    if (patched.ok) return patched.result;
    const name = (document as Partial<KubeObject>).metadata?.name ?? "";
    if (mediaType === JSON_PATCH) {
      // Kubernetes: a well-formed patch that doesn't apply is the object's problem, not the body's.
      throw invalid(kind, name, [
        { field: "patch", reason: "FieldValueInvalid", message: patched.message },
      ]);
    }
    throw statusError("BadRequest", `${groupResource(kind)} "${name}": ${patched.message}`);
  };
}

function patchFunction(
  kind: Kind,
  mediaType: string,
  patch: unknown,
): (document: unknown) => PatchResult {
  switch (mediaType) {
    case JSON_PATCH:
      return (document) => applyJsonPatch(document, patch);
    case MERGE_PATCH:
      return (document) => applyMergePatch(document, patch);
    case STRATEGIC_MERGE_PATCH:
      if (kind.custom) break;
      return (document) => applyStrategicMergePatch(kind.schema, document, patch);
    default:
      break;
  }
  const strategic = kind.custom ? [] : [STRATEGIC_MERGE_PATCH];
  const accepted = [JSON_PATCH, MERGE_PATCH, ...strategic, APPLY_PATCH].join(", ");
  throw statusError(
    "UnsupportedMediaType",
    `the body of the request was in an unknown format - accepted media types include: ${accepted}`,
  );
}
