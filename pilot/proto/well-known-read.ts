/** Types with a JSON form of their own (protobuf.dev, "ProtoJSON format"): read into it. */

import { isMessageType } from "./descriptors.ts";
import { defineField } from "./json.ts";
import type { JsonObject, JsonValue } from "./json.ts";
import { WireReader } from "./reader.ts";
import { WRAPPERS, hasOwnJsonForm } from "./well-known.ts";

type ReadMessage = (typeName: string, reader: WireReader) => JsonValue;

/** The value of such a type; undefined for all others. `read` reads what an Any carries. */
export function readWellKnown(
  typeName: string,
  reader: WireReader,
  read: ReadMessage,
): JsonValue | undefined {
  if (!typeName.startsWith("google.protobuf.")) return undefined;
  const wrapped = Object.hasOwn(WRAPPERS, typeName) ? WRAPPERS[typeName] : undefined;
  if (wrapped !== undefined) return readWrapper(wrapped, reader);
  switch (typeName) {
    case "google.protobuf.Any":
      return readAny(reader, read);
    case "google.protobuf.Duration": {
      const { seconds, nanos } = readTime(reader);
      return durationText(seconds, nanos);
    }
    case "google.protobuf.Timestamp": {
      const { seconds, nanos } = readTime(reader);
      return new Date(seconds * 1000 + nanos / 1_000_000).toISOString();
    }
    case "google.protobuf.Struct":
      return readStruct(reader, read);
    case "google.protobuf.Value":
      return readValue(reader, read);
    case "google.protobuf.ListValue":
      return readItems(reader, (item) => read("google.protobuf.Value", item));
    case "google.protobuf.FieldMask":
      return readItems(reader, (item) => item.rest().toString("utf8")).join(",");
    default:
      return undefined;
  }
}

function readWrapper(scalar: (typeof WRAPPERS)[string], reader: WireReader): JsonValue {
  let value: JsonValue = scalar === "bool" ? false : scalar === "string" ? "" : 0;
  if (scalar === "bytes") value = "";
  while (reader.more) {
    const tag = reader.varint();
    if (tag >>> 3 === 1) value = reader.scalar(scalar);
    else reader.skip(tag & 7);
  }
  return value;
}

function readAny(reader: WireReader, read: ReadMessage): JsonValue {
  let url = "";
  let bytes = Buffer.alloc(0);
  while (reader.more) {
    const tag = reader.varint();
    if (tag >>> 3 === 1) url = reader.string();
    else if (tag >>> 3 === 2) bytes = Buffer.from(reader.bytes());
    else reader.skip(tag & 7);
  }
  const typeName = url.slice(url.lastIndexOf("/") + 1);
  if (!isMessageType(typeName)) return { "@type": url, value: bytes.toString("base64") };
  const value = read(typeName, new WireReader(bytes));
  if (hasOwnJsonForm(typeName) || typeof value !== "object" || value === null) {
    return { "@type": url, value };
  }
  return { "@type": url, ...(value as JsonObject) };
}

function readTime(reader: WireReader): { seconds: number; nanos: number } {
  const time = { seconds: 0, nanos: 0 };
  while (reader.more) {
    const tag = reader.varint();
    if (tag === 0x08) time.seconds = Number(reader.signed(64));
    else if (tag === 0x10) time.nanos = Number(reader.signed(32));
    else reader.skip(tag & 7);
  }
  return time;
}

function durationText(seconds: number, nanos: number): string {
  const sign = seconds < 0 || nanos < 0 ? "-" : "";
  const fraction = String(Math.abs(nanos)).padStart(9, "0").replace(/0+$/, "");
  return `${sign}${Math.abs(seconds)}${fraction === "" ? "" : `.${fraction}`}s`;
}

function readStruct(reader: WireReader, read: ReadMessage): JsonObject {
  const result: JsonObject = {};
  while (reader.more) {
    const tag = reader.varint();
    if (tag !== 0x0a) {
      reader.skip(tag & 7);
      continue;
    }
    const entry = reader.nested();
    let key = "";
    let value: JsonValue = null;
    while (entry.more) {
      const entryTag = entry.varint();
      if (entryTag === 0x0a) key = entry.string();
      else if (entryTag === 0x12) value = read("google.protobuf.Value", entry.nested());
      else entry.skip(entryTag & 7);
    }
    defineField(result, key, value);
  }
  return result;
}

function readValue(reader: WireReader, read: ReadMessage): JsonValue {
  let value: JsonValue = null;
  while (reader.more) {
    const tag = reader.varint();
    switch (tag) {
      case 0x11:
        value = reader.scalar("double");
        break;
      case 0x1a:
        value = reader.string();
        break;
      case 0x20:
        value = reader.scalar("bool");
        break;
      case 0x2a:
        value = read("google.protobuf.Struct", reader.nested());
        break;
      case 0x32:
        value = read("google.protobuf.ListValue", reader.nested());
        break;
      default:
        reader.skip(tag & 7);
        value = null;
    }
  }
  return value;
}

function readItems<T>(reader: WireReader, read: (item: WireReader) => T): T[] {
  const items: T[] = [];
  while (reader.more) {
    const tag = reader.varint();
    if (tag === 0x0a) items.push(read(reader.nested()));
    else reader.skip(tag & 7);
  }
  return items;
}
