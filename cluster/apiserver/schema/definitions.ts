/** The schemas of built-in types, made on demand from the generated table and `rules/`. */

import { cloneJson } from "./json.ts";
import { isAtomic, messageFields, TYPE_META, type MessageField } from "./messages.ts";
import { rulesOf } from "./rules/rules.ts";
import type { Schema } from "./schema.ts";
import { FIELD_TYPES, SPECIAL_DEFINITIONS } from "./special.ts";

const made = new Map<string, Schema>();
const merged = new WeakMap<Schema, Schema>();

/**
 * The schema of a built-in type, for example `io.k8s.api.core.v1.PodSpec`. Its `required` names
 * the fields that the server insists on; what the Go tags call required is published by OpenAPI
 * only, since for the server an absent field of a built-in type is its zero value. Throws for an
 * unknown name.
 */
export function definition(name: string): Schema {
  const known = made.get(name) ?? SPECIAL_DEFINITIONS.get(name);
  if (known !== undefined) return known;
  const schema = build(name);
  made.set(name, schema);
  return schema;
}

/** Follows a `$ref`; keywords beside it (a default, say) stand over those of the definition. */
export function resolve(schema: Schema): Schema {
  if (schema.$ref === undefined) return schema;
  const known = merged.get(schema);
  if (known !== undefined) return known;
  const { $ref, ...own } = schema;
  const target = definition($ref);
  const result = Object.keys(own).length === 0 ? target : { ...target, ...own };
  merged.set(schema, result);
  return result;
}

/** Fields of a type as they stand in JSON: the members of inlined structs are its own. */
export function flatFields(name: string): readonly MessageField[] {
  const fields = messageFields(name);
  if (fields === undefined) throw new Error(`${name} is no built-in type`);
  return fields.flatMap((field) => {
    if (field.inline !== true) return [field];
    const inlined = field.type.slice(1);
    return inlined === TYPE_META ? TYPE_META_FIELDS : flatFields(inlined);
  });
}

/** The schema of one field without rules, as the generated table says. */
export function fieldSchema(field: MessageField): Schema {
  const single = field.type.startsWith("#") ? { $ref: field.type.slice(1) } : scalar(field.type);
  if (field.map === true) {
    const element: Schema = field.repeated === true ? { type: "array", items: single } : single;
    return { type: "object", additionalProperties: element, ...mapKeywords(field) };
  }
  if (field.repeated === true) return { type: "array", items: single, ...listKeywords(field) };
  return { ...single, ...patchKeywords(field), ...mapKeywords(field) };
}

function build(name: string): Schema {
  const rules = rulesOf(name);
  const properties: Record<string, Schema> = {};
  const required: string[] = [];
  for (const field of flatFields(name)) {
    const { required: insisted, ...rule } = rules[field.name] ?? {};
    const fallback = field.default === undefined ? {} : { default: cloneJson(field.default) };
    properties[field.name] = { ...fieldSchema(field), ...fallback, ...rule };
    if (insisted === true) required.push(field.name);
  }
  return {
    type: "object",
    properties,
    ...(required.length > 0 ? { required } : {}),
    ...(isAtomic(name) ? { "x-kubernetes-map-type": "atomic" } : {}),
  };
}

const TYPE_META_FIELDS: MessageField[] = [
  { name: "apiVersion", type: "string" },
  { name: "kind", type: "string" },
];

function scalar(type: string): Schema {
  const schema = FIELD_TYPES[type];
  if (schema === undefined) throw new Error(`no schema for fields of type ${type}`);
  return schema;
}

function mapKeywords(field: MessageField): Schema {
  return field.mapType === "atomic" || field.mapType === "granular"
    ? { "x-kubernetes-map-type": field.mapType }
    : {};
}

function listKeywords(field: MessageField): Schema {
  const schema: Schema = patchKeywords(field);
  const type = field.listType;
  if (type === "atomic" || type === "set" || type === "map")
    schema["x-kubernetes-list-type"] = type;
  if (field.listMapKeys !== undefined) schema["x-kubernetes-list-map-keys"] = field.listMapKeys;
  return schema;
}

function patchKeywords(field: MessageField): Schema {
  const schema: Schema = {};
  if (field.patchStrategy !== undefined) {
    schema["x-kubernetes-patch-strategy"] = field.patchStrategy;
  }
  if (field.patchMergeKey !== undefined) {
    schema["x-kubernetes-patch-merge-key"] = field.patchMergeKey;
  }
  return schema;
}
