/** Whether a value is what a schema says: every problem, in Kubernetes' words. */

import { resolve } from "./definitions.ts";
import { formatError } from "./formats.ts";
import { equalJson, getOwn, isObject, type JsonObject } from "./json.ts";
import { patternMatches } from "./patterns.ts";
import * as problem from "./problem.ts";
import type { FieldProblem, Schema } from "./schema.ts";

const MAX_DEPTH = 100;
const MAX_PROBLEMS = 200;

interface Walk {
  problems: FieldProblem[];
  depth: number;
  /** Inside a built-in type, where an empty value counts as none. */
  builtIn: boolean;
}

/**
 * All problems of a value (at most 200), with field paths from its root. The texts are those of
 * kube-openapi's validation, as the API server of Kubernetes reports them.
 */
export function validate(schema: Schema, value: unknown, path = ""): FieldProblem[] {
  const walk: Walk = { problems: [], depth: 0, builtIn: false };
  visit(schema, value, path, walk);
  return walk.problems;
}

function visit(schema: Schema, value: unknown, path: string, outer: Walk): void {
  const { problems } = outer;
  if (problems.length >= MAX_PROBLEMS) return;
  if (outer.depth >= MAX_DEPTH) {
    problems.push(problem.invalid(path, "", `must not be nested deeper than ${MAX_DEPTH} levels`));
    return;
  }
  const walk = {
    problems,
    depth: outer.depth + 1,
    builtIn: outer.builtIn || schema.$ref !== undefined,
  };
  const known = resolve(schema);
  if (value === null && (known.nullable === true || walk.builtIn)) return;
  const wanted = wrongType(known, value);
  if (wanted !== undefined) {
    const actual = typeName(value);
    const detail = `${inBody(path)} must be of type ${wanted}: ${JSON.stringify(actual)}`;
    problems.push(problem.typeInvalid(path, actual, detail));
    return;
  }
  checkEnum(known, value, path, walk);
  if (typeof value === "string") checkString(known, value, path, walk);
  else if (typeof value === "number") checkNumber(known, value, path, walk);
  else if (Array.isArray(value)) checkArray(known, value, path, walk);
  else if (isObject(value)) checkObject(known, value, path, walk);
  checkCombinations(known, value, path, walk);
}

/** The type that the schema wants, when the value is of another. */
function wrongType(schema: Schema, value: unknown): string | undefined {
  if (schema["x-kubernetes-int-or-string"] === true) {
    if (typeof value === "string" || Number.isInteger(value)) return undefined;
    if (schema.format === "quantity" && typeof value === "number") return undefined;
    return "integer,string";
  }
  if (schema.type === undefined) return undefined;
  const actual = typeName(value);
  if (actual === schema.type) return undefined;
  if (actual === "integer" && schema.type === "number") return undefined;
  return schema.type;
}

function typeName(value: unknown): string {
  if (value === null || value === undefined) return "null";
  if (Array.isArray(value)) return "array";
  if (typeof value === "number") return Number.isInteger(value) ? "integer" : "number";
  return typeof value;
}

function checkEnum(schema: Schema, value: unknown, path: string, walk: Walk): void {
  if (schema.enum === undefined || (walk.builtIn && value === "")) return;
  if (schema.enum.some((allowed) => equalJson(allowed, value))) return;
  walk.problems.push(problem.notSupported(path, value, schema.enum));
}

function checkString(schema: Schema, value: string, path: string, walk: Walk): void {
  const { problems } = walk;
  const say = (detail: string): unknown =>
    problems.push(problem.invalid(path, value, `${inBody(path)} ${detail}`));
  if (schema.maxLength !== undefined && lengthOf(value) > schema.maxLength) {
    problems.push(problem.tooLong(path, schema.maxLength));
  }
  if (schema.minLength !== undefined && lengthOf(value) < schema.minLength) {
    say(`should be at least ${schema.minLength} chars long`);
  }
  if (schema.pattern !== undefined && !patternMatches(schema.pattern, value)) {
    say(`should match '${schema.pattern}'`);
  }
  if (schema.format === undefined) return;
  const error = formatError(schema.format, value);
  if (error === undefined || (walk.builtIn && value === "")) return;
  if (schema.format === "quantity") problems.push(problem.invalid(path, value, error));
  else if (error !== "") say(`must be an RE2 regular expression: ${error}`);
  else {
    const detail = `${inBody(path)} must be of type ${schema.format}: ${JSON.stringify(value)}`;
    problems.push(problem.invalid(path, value, detail));
  }
}

/** Length in code points, as JSON schema counts. */
function lengthOf(text: string): number {
  let length = 0;
  for (const _ of text) length += 1;
  return length;
}

const INTEGER_RANGES: Readonly<Record<string, readonly [number, number]>> = {
  int32: [-2147483648, 2147483647],
  int64: [-(2 ** 63), 2 ** 63],
};

function checkNumber(schema: Schema, value: number, path: string, walk: Walk): void {
  const range = schema.type === "integer" ? INTEGER_RANGES[schema.format ?? ""] : undefined;
  const details = walk.builtIn ? builtInBounds(schema, value) : bounds(schema, value);
  if (schema.multipleOf !== undefined && !Number.isInteger(value / schema.multipleOf)) {
    details.push(`should be a multiple of ${schema.multipleOf}`);
  }
  if (range !== undefined && (value < range[0] || value > range[1])) {
    details.push(`must be of type integer: out of the range of ${schema.format}`);
  }
  for (const detail of details) {
    const text = walk.builtIn ? detail : `${inBody(path)} ${detail}`;
    walk.problems.push(problem.invalid(path, value, text));
  }
}

function bounds(schema: Schema, value: number): string[] {
  const { minimum, maximum } = schema;
  const details: string[] = [];
  if (minimum !== undefined) {
    if (schema.exclusiveMinimum === true) {
      if (value <= minimum) details.push(`should be greater than ${minimum}`);
    } else if (value < minimum) details.push(`should be greater than or equal to ${minimum}`);
  }
  if (maximum !== undefined) {
    if (schema.exclusiveMaximum === true) {
      if (value >= maximum) details.push(`should be less than ${maximum}`);
    } else if (value > maximum) details.push(`should be less than or equal to ${maximum}`);
  }
  return details;
}

/** The hand-written validation of built-in types words ranges in its own way. */
function builtInBounds({ minimum, maximum }: Schema, value: number): string[] {
  if (minimum !== undefined && maximum !== undefined) {
    const inside = value >= minimum && value <= maximum;
    return inside ? [] : [`must be between ${minimum} and ${maximum}, inclusive`];
  }
  if (minimum !== undefined && value < minimum) {
    return [`must be greater than or equal to ${minimum}`];
  }
  if (maximum !== undefined && value > maximum) {
    return [`must be less than or equal to ${maximum}`];
  }
  return [];
}

function checkArray(schema: Schema, value: unknown[], path: string, walk: Walk): void {
  const { problems } = walk;
  if (schema.maxItems !== undefined && value.length > schema.maxItems) {
    problems.push(problem.tooMany(path, value.length, schema.maxItems));
    return;
  }
  if (schema.minItems !== undefined && value.length < schema.minItems) {
    const detail = `${inBody(path)} should have at least ${schema.minItems} items`;
    problems.push(problem.invalid(path, value, detail));
  }
  checkDuplicates(schema, value, path, walk);
  if (schema.items === undefined) return;
  for (const [index, item] of value.entries()) visit(schema.items, item, `${path}[${index}]`, walk);
}

/** Sets and keyed lists hold each value, or each key, once. */
function checkDuplicates(schema: Schema, value: unknown[], path: string, walk: Walk): void {
  const keys = schema["x-kubernetes-list-map-keys"] ?? [];
  const listType = schema["x-kubernetes-list-type"];
  const unique = schema.uniqueItems === true || (listType === "set" && !walk.builtIn);
  const keyed = listType === "map" && !walk.builtIn;
  if (!unique && !keyed) return;
  const seen = new Set<string>();
  for (const [index, item] of value.entries()) {
    const shown = keyed && isObject(item) ? keyOf(item, keys) : item;
    const identity = JSON.stringify(sorted(shown));
    if (seen.has(identity)) walk.problems.push(problem.duplicate(`${path}[${index}]`, shown));
    seen.add(identity);
  }
}

function keyOf(item: JsonObject, keys: readonly string[]): JsonObject {
  return Object.fromEntries(keys.map((key) => [key, getOwn(item, key)]));
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (!isObject(value)) return value;
  return Object.keys(value)
    .toSorted()
    .map((key) => [key, sorted(value[key])]);
}

function checkObject(schema: Schema, value: JsonObject, path: string, walk: Walk): void {
  const { problems } = walk;
  for (const name of schema.required ?? []) {
    const member = getOwn(value, name);
    if (member === undefined || (walk.builtIn && isEmpty(member))) {
      problems.push(problem.required(problem.child(path, name)));
    }
  }
  const keys = Object.keys(value);
  if (schema.maxProperties !== undefined && keys.length > schema.maxProperties) {
    problems.push(problem.tooMany(path, keys.length, schema.maxProperties));
    return;
  }
  if (schema.minProperties !== undefined && keys.length < schema.minProperties) {
    const detail = `${inBody(path)} should have at least ${schema.minProperties} properties`;
    problems.push(problem.invalid(path, value, detail));
  }
  const rest = isObject(schema.additionalProperties) ? schema.additionalProperties : undefined;
  for (const key of keys) {
    const member = value[key];
    if (member === undefined) continue;
    const known = schema.properties === undefined ? rest : (getOwn(schema.properties, key) ?? rest);
    if (known !== undefined) visit(known, member, problem.child(path, key), walk);
  }
}

/** Go's zero values, which a server of built-in types can't tell from absence. */
function isEmpty(value: unknown): boolean {
  return value === null || value === "" || (Array.isArray(value) && value.length === 0);
}

function checkCombinations(schema: Schema, value: unknown, path: string, walk: Walk): void {
  const name = JSON.stringify(path);
  const say = (detail: string): unknown =>
    walk.problems.push(problem.invalid(path, "", `${name} ${detail}`));
  if (schema.anyOf !== undefined) {
    const failures = schema.anyOf.map((option) => alternative(option, value, path, walk));
    if (failures.every((found) => found.length > 0)) {
      say("must validate at least one schema (anyOf)");
      walk.problems.push(...fewest(failures));
    }
  }
  if (schema.oneOf !== undefined) {
    const failures = schema.oneOf.map((option) => alternative(option, value, path, walk));
    const valid = failures.filter((found) => found.length === 0).length;
    if (valid !== 1) {
      const found = valid === 0 ? "Found none valid" : `Found ${valid} valid alternatives`;
      say(`must validate one and only one schema (oneOf). ${found}`);
      if (valid === 0) walk.problems.push(...fewest(failures));
    }
  }
  if (schema.allOf !== undefined) {
    const failures = schema.allOf.map((part) => alternative(part, value, path, walk));
    walk.problems.push(...failures.flat());
    const valid = failures.filter((found) => found.length === 0).length;
    if (valid < failures.length) {
      say(`must validate all the schemas (allOf)${valid === 0 ? ". None validated" : ""}`);
    }
  }
  if (schema.not !== undefined && alternative(schema.not, value, path, walk).length === 0) {
    say("must not validate the schema (not)");
  }
}

function alternative(schema: Schema, value: unknown, path: string, walk: Walk): FieldProblem[] {
  const inner: Walk = { ...walk, problems: [] };
  visit(schema, value, path, inner);
  return inner.problems;
}

/** The failures of the alternative that came closest. */
function fewest(failures: readonly FieldProblem[][]): FieldProblem[] {
  return failures.toSorted((a, b) => a.length - b.length)[0] ?? [];
}

function inBody(path: string): string {
  return path === "" ? "in body" : `${path} in body`;
}
