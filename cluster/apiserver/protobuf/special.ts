/** Types whose JSON form is not that of their message: times, quantities, raw JSON, schemas. */

import protobuf from "protobufjs";
import { eachField, MalformedMessage, readText } from "./wire.ts";

/** Decodes a nested message of a definition. */
export type DecodeNested = (nested: {
  definition: string;
  reader: protobuf.Reader;
}) => Record<string, unknown>;

const SCHEMA_PROPS = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps";

/** Reads a special type's message to its end; undefined stands for absent. */
export function decodeSpecial(
  type: string,
  reader: protobuf.Reader,
  decodeNested: DecodeNested,
): unknown {
  switch (type) {
    case "time":
      return readTime(reader, 0);
    case "microTime":
      return readTime(reader, 6);
    case "duration":
      return readDuration(reader);
    case "quantity":
      return readSingleText(reader);
    case "intOrString":
      return readIntOrString(reader);
    case "stringList":
      return readTexts(reader);
    case "rawExtension":
    case "fieldsV1":
    case "json":
      return readRawJson(reader);
    case "schemaOrArray":
    case "schemaOrBool":
    case "schemaOrStringArray":
      return readSchemaOr(type, reader, decodeNested);
    default:
      throw new Error(`no protobuf form of ${type} is known`);
  }
}

/** seconds (1), nanos (2); a zero time is absent. */
function readTime(reader: protobuf.Reader, fractionDigits: 0 | 6): string | undefined {
  let seconds = 0;
  let nanos = 0;
  let present = false;
  eachField(reader, (number, value) => {
    if (number > 2) return false;
    present = true;
    if (number === 1) seconds = Number(value.int64());
    else nanos = value.int32();
    return true;
  });
  if (!present || (seconds === 0 && nanos === 0)) return undefined;
  const date = new Date(seconds * 1000);
  if (Number.isNaN(date.getTime())) throw new MalformedMessage("a time is out of range");
  const whole = date.toISOString().slice(0, -".000Z".length);
  if (fractionDigits === 0) return `${whole}Z`;
  return `${whole}.${String(Math.trunc(nanos / 1000)).padStart(6, "0")}Z`;
}

/** duration (1) in nanoseconds. */
function readDuration(reader: protobuf.Reader): string {
  let nanos = 0;
  eachField(reader, (number, value) => {
    if (number !== 1) return false;
    nanos = Number(value.int64());
    return true;
  });
  return `${nanos / 1e9}s`;
}

function readSingleText(reader: protobuf.Reader): string {
  return readTexts(reader).at(-1) ?? "0";
}

function readTexts(reader: protobuf.Reader): string[] {
  const texts: string[] = [];
  eachField(reader, (number, value) => {
    if (number !== 1) return false;
    texts.push(readText(value));
    return true;
  });
  return texts;
}

/** type (1: 0 int, 1 string), intVal (2), strVal (3). */
function readIntOrString(reader: protobuf.Reader): number | string {
  let isText = false;
  let int = 0;
  let text = "";
  eachField(reader, (number, value) => {
    if (number === 1) isText = Number(value.int64()) === 1;
    else if (number === 2) int = value.int32();
    else if (number === 3) text = readText(value);
    else return false;
    return true;
  });
  return isText ? text : int;
}

/** raw (1): the bytes of a JSON text. */
function readRawJson(reader: protobuf.Reader): unknown {
  let raw: string | undefined;
  eachField(reader, (number, value) => {
    if (number !== 1) return false;
    raw = readText(value);
    return true;
  });
  if (raw === undefined || raw === "") return undefined;
  try {
    return JSON.parse(raw) as unknown;
  } catch (error) {
    throw new MalformedMessage("a raw extension is not JSON", { cause: error });
  }
}

/** JSONSchemaPropsOrArray: schema (1), schemas (2); …OrBool: allows (1), schema (2); …OrStringArray:
 * schema (1), property (2). */
function readSchemaOr(type: string, reader: protobuf.Reader, decodeNested: DecodeNested): unknown {
  let schema: unknown;
  let allows: boolean | undefined;
  const list: unknown[] = [];
  const nested = (value: protobuf.Reader): unknown =>
    decodeNested({
      definition: SCHEMA_PROPS,
      reader: protobuf.Reader.create(value.bytes()),
    });
  eachField(reader, (number, value) => {
    if (number > 2) return false;
    if (type === "schemaOrBool" && number === 1) allows = value.bool();
    else if (number === 1 || type === "schemaOrBool") schema = nested(value);
    else list.push(type === "schemaOrArray" ? nested(value) : readText(value));
    return true;
  });
  if (schema !== undefined) return schema;
  return type === "schemaOrBool" ? (allows ?? false) : list;
}
