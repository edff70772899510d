/** JSON Merge Patch (RFC 7386), `application/merge-patch+json`. */

import {
  cloneJson,
  exceedsDepth,
  getOwn,
  isObject,
  setOwn,
} from "#cluster/apiserver/schema/json.ts";
import { MAX_PATCH_DEPTH, type PatchResult } from "./result.ts";

/** Objects merge member by member, null removes, anything else replaces; inputs stay as they were. */
export function applyMergePatch(document: unknown, patch: unknown): PatchResult {
  if (exceedsDepth(patch, MAX_PATCH_DEPTH)) {
    return { ok: false, message: `the patch nests deeper than ${MAX_PATCH_DEPTH} levels` };
  }
  return { ok: true, result: merge(document, patch) };
}

function merge(document: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return cloneJson(patch);
  const result = isObject(document) ? cloneJson(document) : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else setOwn(result, key, merge(getOwn(result, key), value));
  }
  return result;
}
