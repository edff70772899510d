/**
 * What makes a custom resource's schema unusable: it must be structural (every level has a type,
 * and nothing about the shape hides in allOf, anyOf, oneOf or not), as Kubernetes asks.
 */

import { RULE_ENVIRONMENT } from "#cluster/apiserver/cel/expression.ts";
import { cloneJson, isObject, type JsonObject } from "./json.ts";
import { patternError } from "./patterns.ts";
import * as problem from "./problem.ts";
import { findUnknown } from "./prune.ts";
import type { FieldProblem, Schema } from "./schema.ts";
import { validate } from "./validate.ts";

const MAX_DEPTH = 64;
const TYPES = ["array", "boolean", "integer", "number", "object", "string"];

/** Keywords of JSON schema that no structural schema has. */
const UNSUPPORTED = [
  "$ref",
  "definitions",
  "dependencies",
  "patternProperties",
  "additionalItems",
  "id",
  "$schema",
];

/** Keywords that say the shape, and so may not stand inside a combination. */
const SHAPE_ONLY = [
  "type",
  "default",
  "additionalProperties",
  "nullable",
  "title",
  "description",
  "x-kubernetes-preserve-unknown-fields",
  "x-kubernetes-embedded-resource",
  "x-kubernetes-int-or-string",
  "x-kubernetes-list-type",
  "x-kubernetes-list-map-keys",
  "x-kubernetes-map-type",
];

type Level = "root" | "field" | "item";

/** All that is wrong with the schema of a whole object; `path` leads to it. */
export function structuralProblems(schema: unknown, path: string): FieldProblem[] {
  if (!isObject(schema)) return [problem.invalid(path, schema, "must be a schema object")];
  return checkLevel(schema, path, { level: "root", depth: 0 });
}

interface Place {
  level: Level;
  depth: number;
}

function checkLevel(schema: JsonObject, path: string, place: Place): FieldProblem[] {
  if (place.depth > MAX_DEPTH) {
    return [problem.invalid(path, "", `must not be nested deeper than ${MAX_DEPTH} levels`)];
  }
  return [
    ...checkUnsupported(schema, path),
    ...checkType(schema, path, place.level),
    ...checkMembers(schema, path, place),
    ...checkLists(schema, path),
    ...checkValues(schema, path),
    ...checkRules(schema, path),
    ...checkCombinations(schema, path),
  ];
}

function checkUnsupported(schema: JsonObject, path: string): FieldProblem[] {
  const problems = UNSUPPORTED.filter((keyword) => isSet(schema[keyword])).map((keyword) =>
    problem.forbidden(`${path}.${keyword}`, `${keyword} is not supported`),
  );
  if (schema["uniqueItems"] === true) {
    const detail =
      "uniqueItems cannot be set to true since the runtime complexity becomes quadratic";
    problems.push(problem.forbidden(`${path}.uniqueItems`, detail));
  }
  return problems;
}

const EMPTY_TYPE: Readonly<Record<Level, string>> = {
  root: "must not be empty at the root",
  field: "must not be empty for specified object fields",
  item: "must not be empty for specified array items",
};

function checkType(schema: JsonObject, path: string, level: Level): FieldProblem[] {
  const type = schema["type"] ?? "";
  const field = `${path}.type`;
  const intOrString = schema["x-kubernetes-int-or-string"] === true;
  const preserves = schema["x-kubernetes-preserve-unknown-fields"] === true;
  if (level === "root" && type !== "object") {
    if (type === "") return [problem.required(field, EMPTY_TYPE.root)];
    return [problem.invalid(field, type, "must be object at the root")];
  }
  if (intOrString) {
    const detail = "must be empty if x-kubernetes-int-or-string is true";
    return type === "" ? [] : [problem.invalid(field, type, detail)];
  }
  if (type === "") return preserves ? [] : [problem.required(field, EMPTY_TYPE[level])];
  if (typeof type !== "string" || !TYPES.includes(type)) {
    return [problem.notSupported(field, type, TYPES)];
  }
  if (schema["x-kubernetes-embedded-resource"] === true && type !== "object") {
    const detail = "must be object if x-kubernetes-embedded-resource is true";
    return [problem.invalid(field, type, detail)];
  }
  return [];
}

function checkMembers(schema: JsonObject, path: string, { depth }: Place): FieldProblem[] {
  const { properties, additionalProperties, items, type } = schema;
  const problems: FieldProblem[] = [];
  if (isObject(properties)) {
    for (const [name, member] of Object.entries(properties)) {
      const at = `${path}.properties[${name}]`;
      if (isObject(member)) {
        problems.push(...checkLevel(member, at, { level: "field", depth: depth + 1 }));
      }
    }
    if (isSet(additionalProperties)) {
      const detail = "additionalProperties and properties are mutual exclusive";
      problems.push(problem.forbidden(`${path}.additionalProperties`, detail));
    }
  }
  if (additionalProperties === false) {
    const detail = "additionalProperties cannot be set to false";
    problems.push(problem.forbidden(`${path}.additionalProperties`, detail));
  } else if (isObject(additionalProperties)) {
    const at = `${path}.additionalProperties`;
    problems.push(...checkLevel(additionalProperties, at, { level: "field", depth: depth + 1 }));
  }
  if (Array.isArray(items)) {
    const detail = "items must be a schema object and not an array";
    problems.push(problem.forbidden(`${path}.items`, detail));
  } else if (isObject(items)) {
    problems.push(...checkLevel(items, `${path}.items`, { level: "item", depth: depth + 1 }));
  } else if (type === "array") {
    problems.push(problem.required(`${path}.items`, "must be specified"));
  }
  return problems;
}

function checkLists(schema: JsonObject, path: string): FieldProblem[] {
  const listType = schema["x-kubernetes-list-type"];
  const keys = schema["x-kubernetes-list-map-keys"];
  const field = `${path}.x-kubernetes-list-map-keys`;
  if (listType === undefined) {
    if (!Array.isArray(keys) || keys.length === 0) return [];
    return [
      problem.required(
        `${path}.x-kubernetes-list-type`,
        "must be map if x-kubernetes-list-map-keys is non-empty",
      ),
    ];
  }
  if (listType !== "atomic" && listType !== "set" && listType !== "map") {
    const types = ["atomic", "map", "set"];
    return [problem.notSupported(`${path}.x-kubernetes-list-type`, listType, types)];
  }
  if (schema["type"] !== "array") {
    const detail = "must be array if x-kubernetes-list-type is specified";
    return [problem.invalid(`${path}.type`, schema["type"] ?? "", detail)];
  }
  if (listType !== "map") return [];
  if (!Array.isArray(keys) || keys.length === 0) {
    const detail = "must not be empty if x-kubernetes-list-type is map";
    return [problem.required(field, detail)];
  }
  const properties = isObject(schema["items"]) ? schema["items"]["properties"] : undefined;
  return keys.flatMap((key, index) => {
    if (typeof key === "string" && isObject(properties) && Object.hasOwn(properties, key))
      return [];
    const detail = "entries must all be names of item properties";
    return [problem.invalid(`${field}[${index}]`, key, detail)];
  });
}

/** Patterns must compile; a default must be what the schema wants and knows. */
function checkValues(schema: JsonObject, path: string): FieldProblem[] {
  const problems: FieldProblem[] = [];
  const pattern = schema["pattern"];
  const wrong = typeof pattern === "string" ? patternError(pattern) : undefined;
  if (wrong !== undefined) {
    const detail = `must be a valid regular expression, but isn't: ${wrong}`;
    problems.push(problem.invalid(`${path}.pattern`, pattern, detail));
  }
  const fallback = schema["default"];
  if (fallback === undefined || problems.length > 0) return problems;
  const typed = schema as Schema;
  const [unknown] = findUnknown(typed, cloneJson(fallback));
  if (unknown !== undefined) {
    const detail = `must not have unknown fields: ${unknown}`;
    problems.push(problem.invalid(`${path}.default`, fallback, detail));
  }
  for (const { message } of validate(typed, fallback)) {
    problems.push(problem.invalid(`${path}.default`, fallback, `must validate: ${message}`));
  }
  return problems;
}

/** Rules must be expressions; what they say about fields shows when they run. */
function checkRules(schema: JsonObject, path: string): FieldProblem[] {
  const rules = schema["x-kubernetes-validations"];
  if (!Array.isArray(rules)) return [];
  return rules.flatMap((one: unknown, index) => {
    const at = `${path}.x-kubernetes-validations[${index}]`;
    return ["rule", "messageExpression"].flatMap((field) => {
      const text = isObject(one) ? one[field] : undefined;
      if (text === undefined && field === "messageExpression") return [];
      if (typeof text !== "string" || text.trim() === "") {
        return [problem.required(`${at}.${field}`, "is not specified")];
      }
      const compiled = RULE_ENVIRONMENT.compile(text);
      if (compiled.ok) return [];
      const detail = `compilation failed: ERROR: <input>: ${compiled.message}`;
      return [problem.invalid(`${at}.${field}`, text, detail)];
    });
  });
}

/** A combination may restrict values of fields that the schema itself has, and nothing more. */
function checkCombinations(schema: JsonObject, path: string): FieldProblem[] {
  const problems: FieldProblem[] = [];
  for (const keyword of ["allOf", "anyOf", "oneOf"]) {
    const parts = schema[keyword];
    if (!Array.isArray(parts)) continue;
    for (const [index, part] of parts.entries()) {
      const at = `${path}.${keyword}[${index}]`;
      if (isObject(part)) problems.push(...checkPart(part, schema, { at, path, depth: 0 }));
    }
  }
  const { not } = schema;
  if (isObject(not))
    problems.push(...checkPart(not, schema, { at: `${path}.not`, path, depth: 0 }));
  return problems;
}

interface PartPlace {
  /** Where the part is. */
  at: string;
  /** Where the schema is that the part restricts. */
  path: string;
  depth: number;
}

function checkPart(part: JsonObject, whole: JsonObject, place: PartPlace): FieldProblem[] {
  if (place.depth > MAX_DEPTH) return [];
  const isIntOrString = whole["x-kubernetes-int-or-string"] === true;
  const problems = SHAPE_ONLY.filter((keyword) => isSet(part[keyword]))
    // The one exception: the two types of an int-or-string.
    .filter((keyword) => !(keyword === "type" && isIntOrString))
    .map((keyword) =>
      problem.forbidden(`${place.at}.${keyword}`, "must be empty to be structural"),
    );
  const { properties, items } = part;
  if (isObject(properties)) {
    const known = isObject(whole["properties"]) ? whole["properties"] : {};
    for (const [name, member] of Object.entries(properties)) {
      const at = `${place.at}.properties[${name}]`;
      const path = `${place.path}.properties[${name}]`;
      const target = Object.hasOwn(known, name) ? known[name] : undefined;
      if (!isObject(target))
        problems.push(problem.required(path, `because it is defined in ${at}`));
      else if (isObject(member)) {
        problems.push(...checkPart(member, target, { at, path, depth: place.depth + 1 }));
      }
    }
  }
  if (isObject(items)) {
    const at = `${place.at}.items`;
    const path = `${place.path}.items`;
    if (!isObject(whole["items"])) {
      problems.push(problem.required(path, `because it is defined in ${at}`));
    } else {
      problems.push(...checkPart(items, whole["items"], { at, path, depth: place.depth + 1 }));
    }
  }
  for (const keyword of ["allOf", "anyOf", "oneOf"]) {
    const parts = part[keyword];
    if (!Array.isArray(parts)) continue;
    for (const [index, inner] of parts.entries()) {
      const at = `${place.at}.${keyword}[${index}]`;
      if (isObject(inner)) {
        problems.push(...checkPart(inner, whole, { at, path: place.path, depth: place.depth + 1 }));
      }
    }
  }
  return problems;
}

function isSet(value: unknown): boolean {
  return value !== undefined && value !== null && value !== "" && value !== false;
}
