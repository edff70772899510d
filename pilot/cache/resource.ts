/** One resource as it goes over the wire, encoded once and shared by every stream that sends it. */

import { hash } from "node:crypto";
import { encode } from "#pilot/proto/encode.ts";
import type { ProtoProblem } from "#pilot/proto/field-error.ts";
import { CLUSTER, messageTypeOf } from "./type-url.ts";
import type { TypeUrl } from "./type-url.ts";

/** Which object, and which field of it, a resource comes from. */
export interface ResourceOrigin {
  readonly object: string;
  readonly path: string;
}

export interface EncodedResource {
  readonly type: TypeUrl;
  readonly name: string;
  /** Of the content: equal bytes have equal versions, on every replica and after every restart. */
  readonly version: string;
  /** A field `resources` of DeltaDiscoveryResponse, tag and length included. */
  readonly deltaField: Buffer;
  /** A field `resources` of DiscoveryResponse: a view of the former's inside. */
  readonly field: Buffer;
  /** The message alone: a view as well. */
  readonly message: Buffer;
  readonly origins: readonly ResourceOrigin[];
  /** Of a cluster that is discovered: the endpoint resource without which it isn't ready. */
  readonly endpoints?: string;
  /** Users' patches have changed it: `ProxyView.unpatched` is without them. */
  readonly isPatched?: true;
}

export interface ResourceInput {
  type: TypeUrl;
  name: string;
  /** ProtoJSON. */
  message: object;
  origins: readonly ResourceOrigin[];
  isPatched?: true;
}

export type EncodedResult =
  { ok: true; resource: EncodedResource } | { ok: false; problems: readonly ProtoProblem[] };

/** Encodes and frames; fails with the path of the field that the Envoy API doesn't have. */
export function encodeResource(input: ResourceInput): EncodedResult {
  const encoded = encode(messageTypeOf(input.type), input.message);
  if (!encoded.ok) return encoded;
  const version = hash("sha256", encoded.bytes, "base64url").slice(0, 16);
  const endpoints = input.type === CLUSTER ? discoveredEndpoints(input) : undefined;
  return {
    ok: true,
    resource: {
      type: input.type,
      name: input.name,
      version,
      ...frameResource({ ...input, version }, encoded.bytes),
      origins: input.origins,
      ...(endpoints === undefined ? {} : { endpoints }),
      ...(input.isPatched && { isPatched: true }),
    },
  };
}

function discoveredEndpoints(input: ResourceInput): string | undefined {
  const message = input.message as { type?: unknown; edsClusterConfig?: { serviceName?: unknown } };
  if (message.type !== "EDS") return undefined;
  const name = message.edsClusterConfig?.serviceName;
  return typeof name === "string" && name !== "" ? name : input.name;
}

/**
 * `Resource { version = 1, name = 3, resource = 2 }` as field 2. Its own field 2 is an Any, which is
 * byte for byte what a state-of-the-world response has as field 2.
 */
export function frameResource(
  input: { type: string; name: string; version: string },
  message: Buffer,
): Pick<EncodedResource, "deltaField" | "field" | "message"> {
  const { version } = input;
  const urlSize = Buffer.byteLength(input.type);
  const nameSize = Buffer.byteLength(input.name);
  const anySize = fieldSize(urlSize) + (message.length > 0 ? fieldSize(message.length) : 0);
  const resourceSize = fieldSize(version.length) + fieldSize(nameSize) + fieldSize(anySize);
  const bytes = Buffer.allocUnsafeSlow(fieldSize(resourceSize));
  let at = putHead(bytes, 0, { tag: 0x12, size: resourceSize });
  at = putHead(bytes, at, { tag: 0x0a, size: version.length });
  at += bytes.write(version, at, "latin1");
  at = putHead(bytes, at, { tag: 0x1a, size: nameSize });
  at += bytes.write(input.name, at, "utf8");
  const fieldStart = at;
  at = putHead(bytes, at, { tag: 0x12, size: anySize });
  at = putHead(bytes, at, { tag: 0x0a, size: urlSize });
  at += bytes.write(input.type, at, "utf8");
  if (message.length > 0) at = putHead(bytes, at, { tag: 0x12, size: message.length });
  message.copy(bytes, at);
  return { deltaField: bytes, field: bytes.subarray(fieldStart), message: bytes.subarray(at) };
}

/** Bytes of a field with a one-byte tag, a length and content of this size. */
export function fieldSize(size: number): number {
  return 1 + varintSize(size) + size;
}

/** Writes a field's tag and length; the index after them. */
export function putHead(into: Buffer, at: number, head: { tag: number; size: number }): number {
  into[at++] = head.tag;
  let rest = head.size;
  while (rest >= 0x80) {
    into[at++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  into[at++] = rest;
  return at;
}

function varintSize(value: number): number {
  let size = 1;
  for (let rest = value; rest >= 0x80; rest >>>= 7) size++;
  return size;
}
