import type protobuf from "protobufjs";

/** A body that is no message of its type; ends the decoding. */
export class MalformedMessage extends Error {}

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** A string field, which must be UTF-8. */
export function readText(reader: protobuf.Reader): string {
  const bytes = reader.bytes();
  try {
    return strict.decode(bytes);
  } catch {
    throw new MalformedMessage("a string is not UTF-8");
  }
}

/** Walks the fields of a message; `read` must take the field's value or return false to skip it. */
export function eachField(
  reader: protobuf.Reader,
  read: (number: number, reader: protobuf.Reader) => boolean,
): void {
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    if (!read(tag >>> 3, reader)) reader.skipType(tag & 7);
  }
}
