/**
 * protobuf's merge on plain JSON: fields that are given replace, messages merge, lists are appended,
 * entries of maps replace. Durations and wrapped values replace as a whole, so that a `false` that is
 * written counts (Istio's merge ignores it where the old value is `true`).
 */

import type { FieldDescriptor } from "#pilot/proto/descriptors.ts";
import { descriptors } from "#pilot/proto/descriptors.ts";
import type { JsonObject, JsonValue } from "#pilot/proto/json.ts";
import { defineField } from "#pilot/proto/json.ts";
import { isObject, textIn } from "./fields.ts";

export interface MergeOptions {
  /** Lists that are given replace those that are there. */
  readonly replaceLists?: boolean;
}

/** A new message of the type; neither of the two is changed. Names are lowerCamelCase in both. */
export function mergeMessage(
  typeName: string,
  into: JsonObject,
  from: JsonObject,
  options: MergeOptions = {},
): JsonObject {
  const fields = fieldsOf(typeName);
  const result: JsonObject = { ...into };
  for (const [name, value] of Object.entries(from)) {
    const field = fields.get(name);
    if (field === undefined) continue;
    const before = result[name];
    if (field.oneof !== undefined) dropSiblings(result, field, fields);
    defineField(result, name, mergeField(field, before, value, options));
  }
  return result;
}

function mergeField(
  field: FieldDescriptor,
  before: JsonValue | undefined,
  value: JsonValue,
  options: MergeOptions,
): JsonValue {
  if (before === undefined || before === null) return value;
  if (field.keyType !== undefined) {
    return isObject(before) && isObject(value) ? { ...before, ...value } : value;
  }
  if (field.repeated === true) {
    if (options.replaceLists === true || !Array.isArray(before) || !Array.isArray(value)) {
      return value;
    }
    return [...before, ...value];
  }
  if (field.type !== "message" || !isObject(before) || !isObject(value)) return value;
  switch (field.typeName) {
    case "google.protobuf.Any":
    case "google.protobuf.Value":
      return value;
    case "google.protobuf.Struct":
      return { ...before, ...value };
    case undefined:
      return value;
    default:
      return mergeMessage(field.typeName, before, value, options);
  }
}

function dropSiblings(
  result: JsonObject,
  field: FieldDescriptor,
  fields: ReadonlyMap<string, FieldDescriptor>,
): void {
  for (const other of fields.values()) {
    if (other !== field && other.oneof === field.oneof) delete result[other.jsonName];
  }
}

/**
 * Two packed messages of one type as one, merged inside; undefined where their types differ.
 */
export function mergePacked(
  into: JsonObject,
  from: JsonObject,
  options: MergeOptions = {},
): JsonObject | undefined {
  const type = packedType(into);
  if (type === undefined || type !== packedType(from)) return undefined;
  const { "@type": url, ...before } = into;
  const { "@type": _, ...given } = from;
  return { "@type": url ?? "", ...mergeMessage(type, before, given, options) };
}

/** Full name of the message that an Any carries. */
export function packedType(packed: JsonObject): string | undefined {
  const url = textIn(packed, "@type");
  return url === "" ? undefined : url.slice(url.lastIndexOf("/") + 1);
}

const fieldsByName = new Map<string, ReadonlyMap<string, FieldDescriptor>>();

function fieldsOf(typeName: string): ReadonlyMap<string, FieldDescriptor> {
  let fields = fieldsByName.get(typeName);
  if (fields === undefined) {
    const { messages } = descriptors();
    const list = Object.hasOwn(messages, typeName) ? (messages[typeName] ?? []) : [];
    fields = new Map(list.map((field) => [field.jsonName, field]));
    fieldsByName.set(typeName, fields);
  }
  return fields;
}
