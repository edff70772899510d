/**
 * Strategic merge patch, `application/strategic-merge-patch+json`: a merge patch that knows from the
 * schema (`x-kubernetes-patch-strategy`, `-merge-key`) which lists merge, and by which key.
 */

import { resolve } from "#cluster/apiserver/schema/definitions.ts";
import {
  cloneJson,
  equalJson,
  exceedsDepth,
  getOwn,
  isObject,
  setOwn,
  type JsonObject,
} from "#cluster/apiserver/schema/json.ts";
import type { Schema } from "#cluster/apiserver/schema/schema.ts";
import { orderElements } from "./element-order.ts";
import { MAX_PATCH_DEPTH, type PatchResult } from "./result.ts";

const DIRECTIVE = "$patch";
const RETAIN_KEYS = "$retainKeys";
const DELETE_FROM = "$deleteFromPrimitiveList/";
const SET_ORDER = "$setElementOrder/";

/** Ends the merge; caught in `applyStrategicMergePatch` and nowhere else. */
class PatchError extends Error {}

/** Applies a patch to an object of a built-in kind; inputs stay as they were. */
export function applyStrategicMergePatch(
  schema: Schema,
  document: unknown,
  patch: unknown,
): PatchResult {
  if (!isObject(document) || !isObject(patch)) {
    return { ok: false, message: "a strategic merge patch and its document must be objects" };
  }
  if (exceedsDepth(patch, MAX_PATCH_DEPTH)) {
    return { ok: false, message: `the patch nests deeper than ${MAX_PATCH_DEPTH} levels` };
  }
  try {
    return { ok: true, result: mergeObject(schema, cloneJson(document), patch) };
  } catch (error) {
    if (error instanceof PatchError) return { ok: false, message: error.message };
    throw error;
  }
}

/** Merges into `original`, which belongs to this module, and returns it. */
function mergeObject(schema: Schema, original: JsonObject, patch: JsonObject): JsonObject {
  const directive = getOwn(patch, DIRECTIVE);
  if (directive === "delete") return {};
  if (directive === "replace") return withoutDirectives(patch);
  if (directive !== undefined && directive !== "merge") throw unknownDirective(directive);
  retainKeys(original, patch);
  for (const [key, list] of Object.entries(patch)) {
    if (key.startsWith(DELETE_FROM)) {
      deletePrimitives(original, key.slice(DELETE_FROM.length), list);
    }
  }
  for (const [key, value] of Object.entries(patch)) {
    if (isDirective(key)) continue;
    if (value === null) delete original[key];
    else setOwn(original, key, mergeMember(schema, original, patch, key));
  }
  reorderUntouched(schema, original, patch);
  return original;
}

function mergeMember(
  schema: Schema,
  original: JsonObject,
  patch: JsonObject,
  key: string,
): unknown {
  const value = patch[key];
  const current = getOwn(original, key);
  const member = memberSchema(schema, key);
  const strategies = strategiesOf(member);
  if (isObject(value) && isObject(current) && !strategies.includes("replace")) {
    return mergeObject(member, current, value);
  }
  if (Array.isArray(value) && strategies.includes("merge")) {
    return mergeList(member, Array.isArray(current) ? current : [], value, orderFor(patch, key));
  }
  return withoutDirectives(value);
}

/** `order`, when given, is the patch's $setElementOrder of this list. */
function mergeList(
  schema: Schema,
  original: unknown[],
  patch: unknown[],
  order: unknown[] | undefined,
): unknown[] {
  const mergeKey = resolve(schema)["x-kubernetes-patch-merge-key"];
  const keyed = mergeKey !== undefined && [...original, ...patch].every(isObject);
  if (!keyed) {
    const added = patch.filter((item) => !original.some((known) => equalJson(known, item)));
    const merged = [...original, ...cloneJson(added)];
    return order === undefined ? merged : orderElements(merged, original, order, (item) => item);
  }
  const merged = mergeKeyed(schema, original.filter(isObject), patch.filter(isObject), mergeKey);
  if (order === undefined) return merged;
  return orderElements(merged, original, order, (item) =>
    isObject(item) ? getOwn(item, mergeKey) : undefined,
  );
}

function mergeKeyed(
  schema: Schema,
  original: JsonObject[],
  patch: JsonObject[],
  mergeKey: string,
): JsonObject[] {
  const items = resolve(schema).items ?? {};
  if (patch.some((element) => element[DIRECTIVE] === "replace")) {
    return patch
      .filter((element) => element[DIRECTIVE] !== "replace")
      .map((element) => withoutDirectives(element));
  }
  let merged = original;
  for (const element of patch) {
    const key = getOwn(element, mergeKey);
    if (key === undefined || key === null) {
      throw new PatchError(
        `map: ${shown(element)} does not contain declared merge key: ${mergeKey}`,
      );
    }
    const isTarget = (known: JsonObject): boolean => equalJson(getOwn(known, mergeKey), key);
    const directive = getOwn(element, DIRECTIVE);
    if (directive === "delete") {
      merged = merged.filter((known) => !isTarget(known));
    } else if (directive !== undefined && directive !== "merge") {
      throw unknownDirective(directive);
    } else if (merged.some(isTarget)) {
      merged = merged.map((known) =>
        isTarget(known) ? mergeObject(items, known, element) : known,
      );
    } else {
      merged = [...merged, withoutDirectives(element)];
    }
  }
  return merged;
}

/** $retainKeys: every other member of the original goes. */
function retainKeys(original: JsonObject, patch: JsonObject): void {
  const retained = getOwn(patch, RETAIN_KEYS);
  if (retained === undefined) return;
  if (!Array.isArray(retained)) throw new PatchError(`${RETAIN_KEYS} must be a list of strings`);
  for (const key of Object.keys(patch)) {
    if (!isDirective(key) && patch[key] !== null && !retained.includes(key)) {
      throw new PatchError(`${key} is in the patch but not in its ${RETAIN_KEYS}`);
    }
  }
  for (const key of Object.keys(original)) {
    if (!retained.includes(key)) delete original[key];
  }
}

function deletePrimitives(original: JsonObject, name: string, values: unknown): void {
  const current = getOwn(original, name);
  if (!Array.isArray(values)) throw new PatchError(`${DELETE_FROM}${name} must be a list`);
  if (!Array.isArray(current)) return;
  const kept = current.filter((item) => !values.some((value) => equalJson(value, item)));
  setOwn(original, name, kept);
}

/** $setElementOrder of a list that the patch doesn't change otherwise. */
function reorderUntouched(schema: Schema, original: JsonObject, patch: JsonObject): void {
  for (const key of Object.keys(patch)) {
    if (!key.startsWith(SET_ORDER)) continue;
    const name = key.slice(SET_ORDER.length);
    const current = getOwn(original, name);
    if (Object.hasOwn(patch, name) || !Array.isArray(current)) continue;
    const member = memberSchema(schema, name);
    if (!strategiesOf(member).includes("merge")) continue;
    setOwn(original, name, mergeList(member, current, [], orderFor(patch, name)));
  }
}

function orderFor(patch: JsonObject, name: string): unknown[] | undefined {
  const order = getOwn(patch, `${SET_ORDER}${name}`);
  if (order === undefined) return undefined;
  if (!Array.isArray(order)) throw new PatchError(`${SET_ORDER}${name} must be a list`);
  return order;
}

function memberSchema(schema: Schema, key: string): Schema {
  const known = resolve(schema);
  const own = known.properties === undefined ? undefined : getOwn(known.properties, key);
  if (own !== undefined) return own;
  return isObject(known.additionalProperties) ? known.additionalProperties : {};
}

function strategiesOf(schema: Schema): string[] {
  return (schema["x-kubernetes-patch-strategy"] ?? "").split(",");
}

function isDirective(key: string): boolean {
  return (
    key === DIRECTIVE ||
    key === RETAIN_KEYS ||
    key.startsWith(DELETE_FROM) ||
    key.startsWith(SET_ORDER)
  );
}

/** A copy of what a patch adds as new: without directives, deletions and nulls. */
function withoutDirectives(value: JsonObject): JsonObject;
function withoutDirectives(value: unknown): unknown;
function withoutDirectives(value: unknown): unknown {
  if (Array.isArray(value)) {
    return value
      .filter((item) => !isObject(item) || !Object.hasOwn(item, DIRECTIVE) || isMerge(item))
      .map((item: unknown) => withoutDirectives(item));
  }
  if (!isObject(value)) return value;
  const result: JsonObject = {};
  for (const [key, member] of Object.entries(value)) {
    if (!isDirective(key) && member !== null) setOwn(result, key, withoutDirectives(member));
  }
  return result;
}

function isMerge(item: JsonObject): boolean {
  return item[DIRECTIVE] === "merge";
}

function unknownDirective(directive: unknown): PatchError {
  return new PatchError(`unknown patch type ${shown(directive)} in ${DIRECTIVE}`);
}

function shown(value: unknown): string {
  return JSON.stringify(value).slice(0, 200);
}
