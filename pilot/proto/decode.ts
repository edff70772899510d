/** Bytes of the Envoy API back to protobuf's JSON form: requests, dumps, tests. */

import { descriptors, isMessageType } from "./descriptors.ts";
import type { FieldDescriptor } from "./descriptors.ts";
import { defineField } from "./json.ts";
import type { JsonObject, JsonValue } from "./json.ts";
import { WireReader } from "./reader.ts";
import { readWellKnown } from "./well-known-read.ts";

/** A nested message deeper than this is refused, as protobuf libraries do. */
const MAX_DEPTH = 100;
const fieldsById = new Map<string, Map<number, FieldDescriptor>>();

/**
 * The message as ProtoJSON with camelCase names; defaults are left out and unknown fields skipped.
 * An Any of an unknown type keeps its bytes as base64 under `value`. Throws an Error on bytes that
 * aren't such a message.
 */
export function decode(typeName: string, bytes: Uint8Array): JsonObject {
  const value = readMessage(typeName, new WireReader(bytes), 0);
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new Error(`${typeName} has no JSON object`);
  }
  return value;
}

/** Reads all that the reader has as one message of the type; `depth` counts from 0. */
export function readMessage(typeName: string, reader: WireReader, depth: number): JsonValue {
  if (depth > MAX_DEPTH) throw new Error(`message nested over ${MAX_DEPTH} levels`);
  const known = readWellKnown(typeName, reader, (name, nested) =>
    readMessage(name, nested, depth + 1),
  );
  if (known !== undefined) return known;
  const fields = fieldsOf(typeName);
  if (fields === undefined) throw new Error(`there is no message type ${typeName}`);
  const result: JsonObject = {};
  while (reader.more) {
    const tag = reader.varint();
    const field = fields.get(tag >>> 3);
    if (field === undefined) reader.skip(tag & 7);
    else readField(result, field, { reader, wire: tag & 7, depth });
  }
  return result;
}

function fieldsOf(typeName: string): Map<number, FieldDescriptor> | undefined {
  const known = fieldsById.get(typeName);
  if (known !== undefined || !isMessageType(typeName)) return known;
  const fields = descriptors().messages[typeName] ?? [];
  const made = new Map(fields.map((field) => [field.id, field]));
  fieldsById.set(typeName, made);
  return made;
}

interface At {
  reader: WireReader;
  wire: number;
  depth: number;
}

function readField(into: JsonObject, field: FieldDescriptor, at: At): void {
  const { reader, wire, depth } = at;
  if (field.keyType !== undefined) {
    const map = (into[field.jsonName] ??= {}) as JsonObject;
    const [key, value] = readEntry(field, reader.nested(), depth);
    defineField(map, key, value);
    return;
  }
  if (field.repeated !== true) {
    into[field.jsonName] = readValue(field, at);
    return;
  }
  const list = (into[field.jsonName] ??= []) as JsonValue[];
  if (wire === 2 && isPackable(field)) {
    const packed = reader.nested();
    while (packed.more) list.push(readValue(field, { reader: packed, wire: 0, depth }));
  } else list.push(readValue(field, at));
}

function isPackable(field: FieldDescriptor): boolean {
  return field.type !== "message" && field.type !== "string" && field.type !== "bytes";
}

function readEntry(field: FieldDescriptor, entry: WireReader, depth: number): [string, JsonValue] {
  let key = field.keyType === "string" ? "" : "0";
  let value: JsonValue = field.type === "string" ? "" : field.type === "message" ? {} : 0;
  while (entry.more) {
    const tag = entry.varint();
    const at = { reader: entry, wire: tag & 7, depth };
    if (tag >>> 3 === 1) key = String(entry.scalar(field.keyType ?? "string"));
    else if (tag >>> 3 === 2) value = readValue(field, at);
    else entry.skip(tag & 7);
  }
  return [key, value];
}

function readValue(field: FieldDescriptor, at: At): JsonValue {
  const { reader } = at;
  if (field.type === "message") {
    return readMessage(field.typeName ?? "", reader.nested(), at.depth + 1);
  }
  if (field.type === "enum") return enumName(field.typeName ?? "", Number(reader.signed(32)));
  return reader.scalar(field.type);
}

function enumName(typeName: string, number: number): JsonValue {
  const values = descriptors().enums[typeName] ?? {};
  return Object.keys(values).find((name) => values[name] === number) ?? number;
}
