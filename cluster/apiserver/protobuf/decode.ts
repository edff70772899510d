/**
 * Request bodies in Kubernetes' protobuf, `application/vnd.kubernetes.protobuf`: the four bytes
 * `k8s\0`, then a runtime.Unknown around the message of a built-in type. Field numbers come from
 * the generated table; what comes out is the object's JSON form.
 */

import protobuf from "protobufjs";
import type { KubeObject } from "#cluster/api/meta.ts";
import { isObject, setOwn, type JsonObject } from "#cluster/apiserver/schema/json.ts";
import { knownDefinition } from "#cluster/apiserver/schema/messages.ts";
import { fieldsByNumber, type WireField } from "./fields.ts";
import { decodeSpecial } from "./special.ts";
import { MalformedMessage, readText } from "./wire.ts";

export type DecodeResult = { ok: true; object: KubeObject } | { ok: false; message: string };

const MAGIC = [0x6b, 0x38, 0x73, 0x00];
const MAX_DEPTH = 64;

/** Decodes a body; the object has its apiVersion and kind from the envelope. */
export function decodeProtobuf(body: Uint8Array): DecodeResult {
  if (!MAGIC.every((byte, index) => body[index] === byte)) {
    return { ok: false, message: "the body does not begin with Kubernetes' protobuf marker" };
  }
  try {
    return decodeEnvelope(body.subarray(MAGIC.length));
  } catch (error) {
    if (error instanceof RangeError || error instanceof MalformedMessage) {
      return { ok: false, message: `malformed protobuf body: ${error.message}` };
    }
    throw error;
  }
}

function decodeEnvelope(body: Uint8Array): DecodeResult {
  const envelope = readEnvelope(protobuf.Reader.create(body));
  const { apiVersion, kind, raw } = envelope;
  if (envelope.contentEncoding !== "") {
    return { ok: false, message: `content encoding ${envelope.contentEncoding} is not supported` };
  }
  if (envelope.contentType === "application/json") return parseJson(raw);
  const definition = knownDefinition(apiVersion, kind);
  if (definition === undefined) {
    return { ok: false, message: `no kind ${kind} of ${apiVersion} is known as protobuf` };
  }
  const fields = decodeMessage(definition, protobuf.Reader.create(raw), 0);
  return { ok: true, object: { ...fields, apiVersion, kind, metadata: metadataOf(fields) } };
}

/** Reads one message up to the reader's end. */
export function decodeMessage(
  definition: string,
  reader: protobuf.Reader,
  depth: number,
): JsonObject {
  if (depth > MAX_DEPTH) throw new MalformedMessage("messages are nested too deeply");
  const fields = fieldsByNumber(definition);
  const object: JsonObject = {};
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    const field = fields.get(tag >>> 3);
    if (field === undefined) reader.skipType(tag & 7);
    else readField(object, field, reader, { wire: tag & 7, depth });
  }
  return object;
}

interface Place {
  wire: number;
  depth: number;
}

function readField(
  object: JsonObject,
  field: WireField,
  reader: protobuf.Reader,
  place: Place,
): void {
  if (field.map === true) {
    const [key, value] = readMapEntry(field, sub(reader), place.depth);
    const known = object[field.name];
    const map = isObject(known) ? known : {};
    setOwn(map, key, value);
    object[field.name] = map;
  } else if (field.inline === true) {
    Object.assign(object, decodeMessage(field.type.slice(1), sub(reader), place.depth + 1));
  } else if (field.repeated === true) {
    const known: unknown = object[field.name];
    const list: unknown[] = Array.isArray(known) ? known : [];
    if (place.wire === 2 && isPackable(field.type)) {
      const packed = sub(reader);
      while (packed.pos < packed.len) list.push(readValue(field.type, packed, place.depth));
    } else {
      list.push(readValue(field.type, reader, place.depth));
    }
    object[field.name] = list;
  } else {
    const value = readValue(field.type, reader, place.depth);
    if (value !== undefined && !isUnset(field, value)) object[field.name] = value;
  }
}

/** Go writes every value that is no pointer; in JSON its zero value stands for absence. */
function isUnset(field: WireField, value: unknown): boolean {
  if (field.pointer === true || field.required === true) return false;
  return value === "" || value === 0 || value === false;
}

/** A map's key is a string in every built-in type. */
function readMapEntry(field: WireField, entry: protobuf.Reader, depth: number): [string, unknown] {
  let key = "";
  let value: unknown;
  while (entry.pos < entry.len) {
    const tag = entry.uint32();
    if (tag >>> 3 === 1) key = readText(entry);
    else if (tag >>> 3 === 2) value = readValue(field.type, entry, depth);
    else entry.skipType(tag & 7);
  }
  return [key, value ?? emptyValue(field.type)];
}

function readValue(type: string, reader: protobuf.Reader, depth: number): unknown {
  if (type.startsWith("#")) return decodeMessage(type.slice(1), sub(reader), depth + 1);
  switch (type) {
    case "string":
      return readText(reader);
    case "bool":
      return reader.bool();
    case "int32":
      return reader.int32();
    case "int64":
      return Number(reader.int64());
    case "double":
      return reader.double();
    case "bytes":
      return Buffer.from(reader.bytes()).toString("base64");
    default:
      return decodeSpecial(type, sub(reader), (schema) =>
        decodeMessage(schema.definition, schema.reader, depth + 1),
      );
  }
}

function emptyValue(type: string): unknown {
  if (type === "string" || type === "bytes") return "";
  if (type === "quantity") return "0";
  return type.startsWith("#") ? {} : null;
}

function isPackable(type: string): boolean {
  return type === "int32" || type === "int64" || type === "bool" || type === "double";
}

/** A reader of the length-delimited value that comes next. */
function sub(reader: protobuf.Reader): protobuf.Reader {
  return protobuf.Reader.create(reader.bytes());
}

function parseJson(raw: Uint8Array): DecodeResult {
  try {
    const value: unknown = JSON.parse(Buffer.from(raw).toString("utf8"));
    if (isObject(value)) return { ok: true, object: { ...value, metadata: metadataOf(value) } };
    return { ok: false, message: "the body is no JSON object" };
  } catch (error) {
    if (error instanceof SyntaxError) return { ok: false, message: error.message };
    throw error;
  }
}

/** Options objects have no metadata: an empty one stands in, as KubeObject wants it. */
function metadataOf(fields: JsonObject): KubeObject["metadata"] {
  const metadata = fields["metadata"];
  return (isObject(metadata) ? metadata : {}) as unknown as KubeObject["metadata"];
}

interface Envelope {
  apiVersion: string;
  kind: string;
  raw: Uint8Array;
  contentEncoding: string;
  contentType: string;
}

/** runtime.Unknown: typeMeta (1), raw (2), contentEncoding (3), contentType (4). */
function readEnvelope(reader: protobuf.Reader): Envelope {
  const envelope: Envelope = {
    apiVersion: "",
    kind: "",
    raw: new Uint8Array(),
    contentEncoding: "",
    contentType: "",
  };
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    switch (tag >>> 3) {
      case 1:
        readTypeMeta(envelope, sub(reader));
        break;
      case 2:
        envelope.raw = reader.bytes();
        break;
      case 3:
        envelope.contentEncoding = readText(reader);
        break;
      case 4:
        envelope.contentType = readText(reader);
        break;
      default:
        reader.skipType(tag & 7);
    }
  }
  return envelope;
}

function readTypeMeta(envelope: Envelope, reader: protobuf.Reader): void {
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    if (tag >>> 3 === 1) envelope.apiVersion = readText(reader);
    else if (tag >>> 3 === 2) envelope.kind = readText(reader);
    else reader.skipType(tag & 7);
  }
}
