/** Scalar values: protobuf's JSON form ↔ the wire, without tags. */

import type { ScalarType } from "./descriptors.ts";
import { FieldError, describeValue } from "./field-error.ts";
import type { BackwardWriter } from "./writer.ts";

/** 0 varint, 1 eight bytes, 2 length and bytes, 5 four bytes. */
export type WireType = 0 | 1 | 2 | 5;

export interface ScalarCodec {
  wire: WireType;
  /** Writes the value (with its length where `wire` is 2) or throws a FieldError. */
  write(writer: BackwardWriter, value: unknown): void;
  /** Whether this is the value that proto3 leaves out where presence isn't tracked. */
  isDefault(value: unknown): boolean;
}

/** One codec a scalar type, by its .proto name. */
export const SCALARS: Record<ScalarType, ScalarCodec> = {
  bool: {
    wire: 0,
    write(writer, value) {
      if (typeof value !== "boolean") throw wrongType("true or false", value);
      writer.varint(value ? 1 : 0);
    },
    isDefault: (value) => value === false,
  },
  string: {
    wire: 2,
    write(writer, value) {
      if (typeof value !== "string") throw wrongType("a string", value);
      const before = writer.size;
      writer.string(value);
      writer.varint(writer.size - before);
    },
    isDefault: (value) => value === "",
  },
  bytes: {
    wire: 2,
    write(writer, value) {
      const bytes = toBytes(value);
      writer.bytes(bytes);
      writer.varint(bytes.length);
    },
    isDefault: (value) => value === "" || (value instanceof Uint8Array && value.length === 0),
  },
  double: floating(1, (writer, value) => writer.double(value)),
  float: floating(5, (writer, value) => writer.float(value)),
  uint32: integer(0, [0, 2 ** 32 - 1], (writer, value) => writer.varint(value)),
  int32: integer(0, [-(2 ** 31), 2 ** 31 - 1], (writer, value) => {
    if (value < 0) writer.bigVarint(BigInt(value));
    else writer.varint(value);
  }),
  sint32: integer(0, [-(2 ** 31), 2 ** 31 - 1], (writer, value) =>
    writer.varint(value < 0 ? -2 * value - 1 : 2 * value),
  ),
  fixed32: integer(5, [0, 2 ** 32 - 1], (writer, value) => writer.fixed32(value)),
  sfixed32: integer(5, [-(2 ** 31), 2 ** 31 - 1], (writer, value) => writer.fixed32(value)),
  uint64: long(0, false, (writer, value) => writer.bigVarint(value)),
  int64: long(0, true, (writer, value) => writer.bigVarint(value)),
  sint64: long(0, true, (writer, value) =>
    writer.bigVarint(value < 0n ? -2n * value - 1n : 2n * value),
  ),
  fixed64: long(1, false, (writer, value) => writer.fixed64(value)),
  sfixed64: long(1, true, (writer, value) => writer.fixed64(value)),
};

function wrongType(wanted: string, value: unknown): FieldError {
  return new FieldError("WrongType", `must be ${wanted}, not ${describeValue(value)}`);
}

function toBytes(value: unknown): Uint8Array {
  if (value instanceof Uint8Array) return value;
  if (typeof value !== "string") throw wrongType("base64 or bytes", value);
  if (!/^[A-Za-z0-9+/_-]*={0,2}$/.test(value)) {
    throw new FieldError("Malformed", `must be base64, not ${describeValue(value)}`);
  }
  return Buffer.from(value, "base64");
}

type Emit<T> = (writer: BackwardWriter, value: T) => void;

function floating(wire: WireType, emit: Emit<number>): ScalarCodec {
  return {
    wire,
    write(writer, value) {
      const words = value === "NaN" || value === "Infinity" || value === "-Infinity";
      if (typeof value !== "number" && !words) throw wrongType("a number", value);
      emit(writer, Number(value));
    },
    isDefault: (value) => Object.is(value, 0),
  };
}

function integer(wire: WireType, range: [number, number], emit: Emit<number>): ScalarCodec {
  return {
    wire,
    write(writer, value) {
      const number = typeof value === "string" && value !== "" ? Number(value) : value;
      if (typeof number !== "number" || !Number.isInteger(number)) {
        throw wrongType("a whole number", value);
      }
      if (number < range[0] || number > range[1]) {
        throw new FieldError("OutOfRange", `must be within ${range[0]} and ${range[1]}: ${number}`);
      }
      emit(writer, number);
    },
    isDefault: (value) => value === 0 || value === "0",
  };
}

function long(wire: WireType, signed: boolean, emit: Emit<bigint>): ScalarCodec {
  const [low, high] = signed ? [-(2n ** 63n), 2n ** 63n - 1n] : [0n, 2n ** 64n - 1n];
  return {
    wire,
    write(writer, value) {
      const number = toBigInt(value);
      if (number < low || number > high) {
        throw new FieldError("OutOfRange", `must be within ${low} and ${high}: ${number}`);
      }
      emit(writer, number);
    },
    isDefault: (value) => value === 0 || value === "0" || value === 0n,
  };
}

function toBigInt(value: unknown): bigint {
  if (typeof value === "bigint") return value;
  if (typeof value === "number" && Number.isSafeInteger(value)) return BigInt(value);
  if (typeof value === "string" && /^-?\d{1,20}$/.test(value)) return BigInt(value);
  throw wrongType("a whole number", value);
}
