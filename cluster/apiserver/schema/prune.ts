/** Fields that a schema doesn't know: found for strict clients, dropped for all others. */

import { resolve } from "./definitions.ts";
import { getOwn, isObject, type JsonObject } from "./json.ts";
import { META } from "./messages.ts";
import { child } from "./problem.ts";
import type { Schema } from "./schema.ts";

const MAX_DEPTH = 100;
const EMBEDDED: Schema = {
  type: "object",
  properties: {
    apiVersion: { type: "string" },
    kind: { type: "string" },
    metadata: { $ref: `${META}.ObjectMeta` },
  },
};

/**
 * Drops unknown fields in place and returns their paths, for example `spec.http[0].rout`. An
 * object schema without properties knows none; `x-kubernetes-preserve-unknown-fields` keeps all.
 */
export function pruneUnknown(schema: Schema, object: unknown): string[] {
  return walk(schema, object, true);
}

/** The paths that `pruneUnknown` would drop. */
export function findUnknown(schema: Schema, object: unknown): string[] {
  return walk(schema, object, false);
}

function walk(schema: Schema, object: unknown, drop: boolean): string[] {
  const unknown: string[] = [];
  visit(schema, object, { path: "", depth: 0 });
  return unknown;

  function visit(given: Schema, value: unknown, at: { path: string; depth: number }): void {
    if (at.depth > MAX_DEPTH || typeof value !== "object" || value === null) return;
    const known = branch(resolve(given), value);
    if (Array.isArray(value)) {
      if (known.items === undefined) return;
      for (const [index, item] of value.entries()) {
        visit(known.items, item, { path: `${at.path}[${index}]`, depth: at.depth + 1 });
      }
    } else if (isObject(value)) {
      for (const key of Object.keys(value)) visitMember(known, value, key, at);
    }
  }

  function visitMember(
    known: Schema,
    value: JsonObject,
    key: string,
    at: { path: string; depth: number },
  ): void {
    const path = child(at.path, key);
    const member = memberSchema(known, key);
    if (member === undefined) {
      unknown.push(path);
      if (drop) delete value[key];
    } else if (member !== true) visit(member, value[key], { path, depth: at.depth + 1 });
  }
}

/** The schema of a member, true where anything goes, undefined where it is unknown. */
function memberSchema(known: Schema, key: string): Schema | true | undefined {
  const preserve = known["x-kubernetes-preserve-unknown-fields"] === true;
  const own = known.properties === undefined ? undefined : getOwn(known.properties, key);
  if (own !== undefined) return own;
  if (known["x-kubernetes-embedded-resource"] === true) {
    const embedded = getOwn(EMBEDDED.properties ?? {}, key);
    if (embedded !== undefined) return embedded;
  }
  if (isObject(known.additionalProperties)) return known.additionalProperties;
  if (preserve || known.additionalProperties === true) return true;
  // An object value where the schema wants something else is for validation to refuse.
  return known.type === "object" ? undefined : true;
}

/** Of a special type's alternatives, the one that has the value's shape. */
function branch(schema: Schema, value: object): Schema {
  if (schema.type !== undefined || schema.anyOf === undefined) return schema;
  if (schema.properties !== undefined || schema.items !== undefined) return schema;
  const wanted = Array.isArray(value) ? "array" : "object";
  const found = schema.anyOf.find(
    (option) =>
      (option.$ref !== undefined || option.items !== undefined) && resolve(option).type === wanted,
  );
  return found === undefined ? schema : resolve(found);
}
