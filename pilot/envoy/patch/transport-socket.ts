/** Transport sockets, which are merged inside where both are of one type. */

import type { JsonObject } from "#pilot/proto/json.ts";
import { isObject } from "./fields.ts";
import { type MergeOptions, mergePacked } from "./merge.ts";

/** Of different types the given one replaces. */
export function mergeSocket(
  before: JsonObject,
  given: JsonObject,
  options: MergeOptions,
): JsonObject {
  const [old, config] = [before["typedConfig"], given["typedConfig"]];
  if (!isObject(config)) return before;
  if (!isObject(old)) return given;
  const merged = mergePacked(old, config, options);
  return merged === undefined ? given : { ...before, typedConfig: merged };
}
