/** Types with a JSON form of their own (protobuf.dev, "ProtoJSON format"): written from it. */

import { FieldError, describeValue } from "./field-error.ts";
import { SCALARS } from "./scalars.ts";
import type { BackwardWriter } from "./writer.ts";

type Write = (writer: BackwardWriter, value: unknown) => void;

/** What an Any needs of the room's other half (which needs this half: hence a parameter). */
export interface MessageWriters {
  messageWriter(typeName: string): Write;
  /** Writes an object that has `@type` beside its fields. */
  writePlain(writer: BackwardWriter, typeName: string, value: object): void;
}

/** Full name → the scalar in field 1. */
export const WRAPPERS: Readonly<Record<string, keyof typeof SCALARS>> = {
  "google.protobuf.DoubleValue": "double",
  "google.protobuf.FloatValue": "float",
  "google.protobuf.Int64Value": "int64",
  "google.protobuf.UInt64Value": "uint64",
  "google.protobuf.Int32Value": "int32",
  "google.protobuf.UInt32Value": "uint32",
  "google.protobuf.BoolValue": "bool",
  "google.protobuf.StringValue": "string",
  "google.protobuf.BytesValue": "bytes",
};

const PREFIX = "google.protobuf.";

/** The writer of a type with a JSON form of its own; undefined for all others. */
export function wellKnownWriter(typeName: string, writers: MessageWriters): Write | undefined {
  const wrapped = Object.hasOwn(WRAPPERS, typeName) ? WRAPPERS[typeName] : undefined;
  if (wrapped !== undefined) return wrapperWriter(wrapped);
  switch (typeName) {
    case "google.protobuf.Any":
      return anyWriter(writers);
    case "google.protobuf.Duration":
      return writeDuration;
    case "google.protobuf.Timestamp":
      return writeTimestamp;
    case "google.protobuf.Struct":
      return writeStruct;
    case "google.protobuf.Value":
      return writeValue;
    case "google.protobuf.ListValue":
      return writeList;
    case "google.protobuf.FieldMask":
      return writeFieldMask;
    default:
      return undefined;
  }
}

/** Whether its JSON inside an Any stands under the key `value`. */
export function hasOwnJsonForm(typeName: string): boolean {
  return typeName.startsWith(PREFIX) && typeName !== "google.protobuf.Empty";
}

function wrapperWriter(scalar: keyof typeof SCALARS): Write {
  const codec = SCALARS[scalar];
  return (writer, value) => {
    if (codec.isDefault(value)) return;
    codec.write(writer, value);
    writer.varint(8 + codec.wire);
  };
}

function anyWriter(writers: MessageWriters): Write {
  return (writer, value) => {
    const url = typeof value === "object" && value !== null ? typeUrlOf(value) : undefined;
    if (url === undefined) {
      throw new FieldError(
        "WrongType",
        `must be an object with "@type", not ${describeValue(value)}`,
      );
    }
    const typeName = url.slice(url.lastIndexOf("/") + 1);
    const before = writer.size;
    if (hasOwnJsonForm(typeName)) {
      writers.messageWriter(typeName)(writer, (value as { value?: unknown }).value);
    } else writers.writePlain(writer, typeName, value as object);
    if (writer.size > before) {
      writer.varint(writer.size - before);
      writer.varint(0x12);
    }
    SCALARS.string.write(writer, url);
    writer.varint(0x0a);
  };
}

function typeUrlOf(value: object): string | undefined {
  const url = "@type" in value ? value["@type"] : undefined;
  return typeof url === "string" ? url : undefined;
}

function writeSecondsAndNanos(writer: BackwardWriter, seconds: number, nanos: number): void {
  if (nanos !== 0) {
    SCALARS.int32.write(writer, nanos);
    writer.varint(0x10);
  }
  if (seconds !== 0) {
    SCALARS.int64.write(writer, seconds);
    writer.varint(0x08);
  }
}

function writeDuration(writer: BackwardWriter, value: unknown): void {
  const match = typeof value === "string" ? /^(-?)(\d{1,12})(?:\.(\d{1,9}))?s$/.exec(value) : null;
  if (match === null) {
    throw new FieldError(
      "Malformed",
      `must be a duration like "1.5s", not ${describeValue(value)}`,
    );
  }
  const sign = match[1] === "-" ? -1 : 1;
  const seconds = Number(match[2]);
  const nanos = Number((match[3] ?? "").padEnd(9, "0"));
  if (seconds > 315_576_000_000) throw new FieldError("OutOfRange", "is over 10,000 years");
  writeSecondsAndNanos(writer, sign * seconds, sign * nanos);
}

function writeTimestamp(writer: BackwardWriter, value: unknown): void {
  const time = typeof value === "string" ? Date.parse(value) : Number.NaN;
  if (Number.isNaN(time)) {
    throw new FieldError("Malformed", `must be an RFC 3339 time, not ${describeValue(value)}`);
  }
  const seconds = Math.floor(time / 1000);
  writeSecondsAndNanos(writer, seconds, (time - seconds * 1000) * 1_000_000);
}

function writeFieldMask(writer: BackwardWriter, value: unknown): void {
  if (typeof value !== "string") {
    throw new FieldError("WrongType", `must be paths in a string, not ${describeValue(value)}`);
  }
  const paths = value.split(",").filter((path) => path !== "");
  for (const path of paths.toReversed()) {
    const snake = path.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    SCALARS.string.write(writer, snake);
    writer.varint(0x0a);
  }
}

function writeStruct(writer: BackwardWriter, value: unknown): void {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new FieldError("WrongType", `must be an object, not ${describeValue(value)}`);
  }
  const fields = value as Record<string, unknown>;
  for (const key of Object.keys(fields).toSorted().toReversed()) {
    if (fields[key] === undefined) continue;
    const before = writer.size;
    writeNested(writer, 0x12, () => writeValue(writer, fields[key]));
    SCALARS.string.write(writer, key);
    writer.varint(0x0a);
    writer.varint(writer.size - before);
    writer.varint(0x0a);
  }
}

function writeList(writer: BackwardWriter, value: unknown): void {
  if (!Array.isArray(value)) {
    throw new FieldError("WrongType", `must be a list, not ${describeValue(value)}`);
  }
  for (let index = value.length - 1; index >= 0; index--) {
    writeNested(writer, 0x0a, () => writeValue(writer, value[index]));
  }
}

function writeValue(writer: BackwardWriter, value: unknown): void {
  if (typeof value === "number") {
    writer.double(value);
    writer.varint(0x11);
  } else if (typeof value === "string") {
    SCALARS.string.write(writer, value);
    writer.varint(0x1a);
  } else if (typeof value === "boolean") {
    writer.varint(value ? 1 : 0);
    writer.varint(0x20);
  } else if (value === null) {
    writer.varint(0);
    writer.varint(0x08);
  } else if (Array.isArray(value)) writeNested(writer, 0x32, () => writeList(writer, value));
  else writeNested(writer, 0x2a, () => writeStruct(writer, value));
}

function writeNested(writer: BackwardWriter, tag: number, write: () => void): void {
  const before = writer.size;
  write();
  writer.varint(writer.size - before);
  writer.varint(tag);
}
