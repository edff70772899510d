/** Messages of the Envoy API from protobuf's JSON form to bytes. */

import { FieldError } from "./field-error.ts";
import type { ProtoProblem } from "./field-error.ts";
import { messageWriter, resetWriters } from "./message-codec.ts";
import { BackwardWriter } from "./writer.ts";

export type EncodeResult = { ok: true; bytes: Buffer } | { ok: false; problems: [ProtoProblem] };

const writer = new BackwardWriter();

/**
 * `typeName` is a full name without a leading dot, for example `envoy.config.cluster.v3.Cluster`;
 * `message` is ProtoJSON: camelCase or snake_case names, `@type` in an Any, enums by name,
 * durations as "1.5s", wrappers and Struct as plain values. Fields go out by ascending number and
 * maps by key, so equal messages give equal bytes. Reports the first problem that it meets.
 */
export function encode(typeName: string, message: unknown): EncodeResult {
  writer.reset();
  resetWriters();
  try {
    messageWriter(typeName)(writer, message);
    return { ok: true, bytes: writer.take(0) };
  } catch (error) {
    if (!(error instanceof FieldError)) throw error;
    return { ok: false, problems: [error.problem()] };
  }
}
