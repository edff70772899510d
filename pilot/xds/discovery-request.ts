/** Requests of both ADS variants, read straight off the wire into one shape. */

import type { Protocol } from "#pilot/cache/shared-frames.ts";
import { WireReader } from "#pilot/proto/reader.ts";

export interface DiscoveryRequest {
  typeUrl: string;
  /** State of the world only: of the last response that was accepted, on whatever stream. */
  version: string;
  /** Encoded `Node`; clients send it with the first request only. */
  node?: Buffer;
  /** Of the response that this one answers; empty: it answers none. */
  nonce: string;
  /** The client has refused that response. */
  error?: { code: number; message: string };
  /** State of the world: all names that are wanted now. Delta: names wanted in addition. */
  names: string[];
  /** Delta only: names no longer wanted. */
  unsubscribe: string[];
  /** Delta only, after a reconnect: what the client has, by name. */
  initialVersions: Map<string, string>;
}

/** Field numbers of DiscoveryRequest and DeltaDiscoveryRequest (envoy/service/discovery/v3). */
const FIELDS = {
  sotw: {
    version: 1,
    node: 2,
    names: 3,
    typeUrl: 4,
    nonce: 5,
    error: 6,
    unsubscribe: -1,
    initial: -1,
  },
  delta: {
    version: -1,
    node: 1,
    typeUrl: 2,
    names: 3,
    unsubscribe: 4,
    initial: 5,
    nonce: 6,
    error: 7,
  },
} as const;

/** Throws an Error on bytes that aren't such a message. */
export function parseRequest(protocol: Protocol, bytes: Buffer): DiscoveryRequest {
  const fields = FIELDS[protocol];
  const request: DiscoveryRequest = {
    typeUrl: "",
    version: "",
    nonce: "",
    names: [],
    unsubscribe: [],
    initialVersions: new Map(),
  };
  const reader = new WireReader(bytes);
  while (reader.more) {
    const tag = reader.varint();
    switch (tag) {
      case fields.typeUrl * 8 + 2:
        request.typeUrl = reader.string();
        break;
      case fields.version * 8 + 2:
        request.version = reader.string();
        break;
      case fields.node * 8 + 2:
        request.node = Buffer.from(reader.bytes());
        break;
      case fields.nonce * 8 + 2:
        request.nonce = reader.string();
        break;
      case fields.names * 8 + 2:
        request.names.push(readName(reader));
        break;
      case fields.unsubscribe * 8 + 2:
        request.unsubscribe.push(readName(reader));
        break;
      case fields.initial * 8 + 2: {
        const [name, version] = readEntry(reader.nested());
        request.initialVersions.set(name, version);
        break;
      }
      case fields.error * 8 + 2:
        request.error = readStatus(reader.nested());
        break;
      default:
        reader.skip(tag & 7);
    }
  }
  return request;
}

/** No resource has a longer name: that of a route is its longest part, a host name of 255 bytes. */
const MAX_NAME_BYTES = 4096;

function readName(reader: WireReader): string {
  const bytes = reader.bytes();
  if (bytes.length > MAX_NAME_BYTES) throw new Error(`a name of ${bytes.length} bytes`);
  return bytes.toString("utf8");
}

function readEntry(reader: WireReader): [string, string] {
  let key = "";
  let value = "";
  while (reader.more) {
    const tag = reader.varint();
    if (tag === 0x0a) key = reader.string();
    else if (tag === 0x12) value = reader.string();
    else reader.skip(tag & 7);
  }
  return [key, value];
}

/** google.rpc.Status; its message is the client's text and is cut. */
function readStatus(reader: WireReader): { code: number; message: string } {
  const status = { code: 0, message: "" };
  while (reader.more) {
    const tag = reader.varint();
    if (tag === 0x08) status.code = reader.varint();
    else if (tag === 0x12) status.message = reader.string().slice(0, 4096);
    else reader.skip(tag & 7);
  }
  return status;
}
