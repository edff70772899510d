/** Fills in what a schema says a missing field means. */

import { canonicalQuantity } from "#cluster/api/quantity.ts";
import { resolve } from "./definitions.ts";
import { cloneJson, getOwn, isObject, setOwn, type JsonObject } from "./json.ts";
import type { Schema } from "./schema.ts";

const MAX_DEPTH = 100;

/**
 * Writes defaults into an object, as structural defaulting does: a `null` counts as missing where
 * the field has a default and isn't nullable. Inside built-in types every `null` member goes, and
 * quantities take their canonical form, as if decoded into the Go struct and encoded again.
 */
export function applyDefaults(schema: Schema, object: unknown): void {
  visit(schema, object, { builtIn: false, depth: 0 });
}

interface Place {
  builtIn: boolean;
  depth: number;
}

/** Returns the value that stands in the place of the given one. */
function visit(schema: Schema, value: unknown, outer: Place): unknown {
  if (outer.depth > MAX_DEPTH) return value;
  const known = resolve(schema);
  const place = { builtIn: outer.builtIn || schema.$ref !== undefined, depth: outer.depth + 1 };
  if (Array.isArray(value)) {
    if (known.items === undefined) return value;
    for (const [index, item] of value.entries()) {
      value[index] = visit(known.items, zeroForNull(known.items, item, place), place);
    }
  } else if (isObject(value)) {
    visitObject(known, value, place);
  } else if (known.format === "quantity" && known["x-kubernetes-int-or-string"] === true) {
    return canonical(value);
  }
  return value;
}

function visitObject(known: Schema, value: JsonObject, place: Place): void {
  const properties = known.properties ?? {};
  for (const [name, schema] of Object.entries(properties)) {
    const member = getOwn(value, name);
    if (member === null && isMissing(schema, place)) delete value[name];
    if ((member === undefined || member === null) && getOwn(value, name) === undefined) {
      if (schema.default === undefined) continue;
      setOwn(value, name, cloneJson(schema.default));
    }
    const replaced = visit(schema, value[name], place);
    if (replaced !== value[name]) setOwn(value, name, replaced);
  }
  if (!isObject(known.additionalProperties)) return;
  for (const key of Object.keys(value)) {
    if (Object.hasOwn(properties, key)) continue;
    const given = zeroForNull(known.additionalProperties, value[key], place);
    const replaced = visit(known.additionalProperties, given, place);
    if (replaced !== value[key]) setOwn(value, key, replaced);
  }
}

function isMissing(schema: Schema, place: Place): boolean {
  return place.builtIn || (schema.default !== undefined && schema.nullable !== true);
}

/** In lists and maps of built-in types a null is the zero value of their elements, as in Go. */
function zeroForNull(schema: Schema, value: unknown, place: Place): unknown {
  if (value !== null || !(place.builtIn || schema.$ref !== undefined)) return value;
  const { type, format } = resolve(schema);
  if (format === "quantity") return "0";
  return type === undefined ? value : structuredClone(ZEROS[type]);
}

const ZEROS = { object: {}, array: [], string: "", integer: 0, number: 0, boolean: false };

function canonical(value: unknown): unknown {
  if (typeof value !== "string" && typeof value !== "number") return value;
  const result = canonicalQuantity(String(value));
  return result.ok ? result.text : value;
}
