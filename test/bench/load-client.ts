/**
 * A sidecar as far as load goes: subscribes as Envoy does on a delta stream and acknowledges, but only
 * looks at the names of what it is sent, so that hundreds of them fit beside the server they measure.
 */

import { type ClientHttp2Session, type ClientHttp2Stream, connect } from "node:http2";
import { CLUSTER, ENDPOINTS, LISTENER, ROUTES, VIRTUAL_HOST } from "#pilot/cache/type-url.ts";
import { encode } from "#pilot/proto/encode.ts";
import { WireReader } from "#pilot/proto/reader.ts";
import { FrameReader, frameHead } from "#pilot/xds/grpc-frames.ts";

const METHOD = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources";
const MAX_RESPONSE_BYTES = 1 << 28;
/** So wide that no response waits for room. */
const WINDOW_BYTES = 1 << 24;

export class LoadClient {
  readonly #node: object;
  readonly #onResponse: () => void;
  readonly #session: ClientHttp2Session;
  readonly #stream: ClientHttp2Stream;
  readonly #held = new Map<string, Set<string>>();
  readonly #asked = new Set<string>();
  readonly #responses = new Map<string, number>();

  /** `onResponse` is called after each response, which has been acknowledged then. */
  constructor(port: number, node: object, onResponse: () => void) {
    this.#node = node;
    this.#onResponse = onResponse;
    this.#session = connect(`http://127.0.0.1:${port}`, {
      settings: { initialWindowSize: WINDOW_BYTES },
    });
    this.#session.once("connect", () => this.#session.setLocalWindowSize(WINDOW_BYTES));
    this.#stream = this.#session.request({
      ":method": "POST",
      ":path": METHOD,
      "content-type": "application/grpc",
      te: "trailers",
    });
    const frames = new FrameReader(MAX_RESPONSE_BYTES);
    this.#stream.on("data", (chunk: Buffer) => {
      frames.push(chunk, (message) => this.#receive(message));
    });
    this.#ask(CLUSTER, { node: this.#node });
  }

  /** How many responses of a type have come so far. */
  responses(type: string): number {
    return this.#responses.get(type) ?? 0;
  }

  /** How many resources of a type it has. */
  held(type: string): number {
    return this.#held.get(type)?.size ?? 0;
  }

  close(): void {
    this.#stream.close();
    this.#session.destroy();
  }

  #receive(message: Buffer): void {
    const { type, nonce, names, removed } = readResponse(message);
    const held = this.#held.get(type) ?? new Set<string>();
    this.#held.set(type, held);
    const fresh = names.filter((name) => !held.has(name));
    for (const name of fresh) held.add(name);
    for (const name of removed) held.delete(name);
    this.#responses.set(type, this.responses(type) + 1);
    this.#ask(type, { responseNonce: nonce });
    this.#follow(type, fresh);
    this.#onResponse();
  }

  /** What fresh resources of a type make a sidecar ask for. */
  #follow(type: string, fresh: readonly string[]): void {
    switch (type) {
      case CLUSTER:
        this.#want(
          ENDPOINTS,
          fresh.filter((name) => name.startsWith("outbound|")),
        );
        break;
      case ENDPOINTS:
        if (!this.#asked.has(LISTENER)) this.#ask(LISTENER, {});
        break;
      case LISTENER:
        // A listener that services share is named by its port, and so are its routes.
        this.#want(
          ROUTES,
          fresh.flatMap((name) => /^0\.0\.0\.0_(\d+)$/.exec(name)?.[1] ?? []),
        );
        break;
      case ROUTES:
        if (!this.#asked.has(VIRTUAL_HOST)) this.#ask(VIRTUAL_HOST, {});
        break;
    }
  }

  #want(type: string, names: readonly string[]): void {
    if (names.length > 0) this.#ask(type, { resourceNamesSubscribe: names });
  }

  #ask(type: string, fields: object): void {
    this.#asked.add(type);
    const request = { typeUrl: type, ...fields };
    const encoded = encode("envoy.service.discovery.v3.DeltaDiscoveryRequest", request);
    if (!encoded.ok) throw new Error(JSON.stringify(encoded.problems));
    this.#stream.write(Buffer.concat([frameHead(encoded.bytes.length), encoded.bytes]));
  }
}

interface NamedResponse {
  type: string;
  nonce: string;
  names: string[];
  removed: string[];
}

/** Fields of DeltaDiscoveryResponse by their numbers: 2 resources, 4 type_url, 5 nonce, 6 removed. */
function readResponse(message: Buffer): NamedResponse {
  const response: NamedResponse = { type: "", nonce: "", names: [], removed: [] };
  const reader = new WireReader(message);
  while (reader.more) {
    const field = reader.varint() >>> 3;
    const value = reader.bytes();
    if (field === 2) response.names.push(nameOf(value));
    else if (field === 4) response.type = value.toString();
    else if (field === 5) response.nonce = value.toString();
    else if (field === 6) response.removed.push(value.toString());
  }
  return response;
}

/** Field 3 of Resource; all before it have lengths as well. */
function nameOf(resource: Buffer): string {
  const reader = new WireReader(resource);
  while (reader.more) {
    const field = reader.varint() >>> 3;
    const value = reader.bytes();
    if (field === 3) return value.toString();
  }
  return "";
}
