/** ADS on bare HTTP/2: thousands of streams on few connections, and clients that misbehave. */

import http2 from "node:http2";
import type { ClientHttp2Session, ClientHttp2Stream } from "node:http2";
import { decode } from "#pilot/proto/decode.ts";
import { encode } from "#pilot/proto/encode.ts";
import { FrameReader, frameHead } from "#pilot/xds/grpc-frames.ts";

const PATH = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources";

export interface RawResponse {
  typeUrl: string;
  nonce: string;
  resources?: { name?: string; version?: string }[];
  removedResources?: string[];
}

/** A session that may fail at any time without failing the test. */
export function connect(port: number): ClientHttp2Session {
  const session = http2.connect(`http://127.0.0.1:${port}`);
  session.on("error", () => undefined);
  return session;
}

/** A call whose client reads only once it is told to. */
export function call(session: ClientHttp2Session, headers: object = {}): ClientHttp2Stream {
  const stream = session.request({
    ":method": "POST",
    ":path": PATH,
    "content-type": "application/grpc",
    te: "trailers",
    ...headers,
  });
  stream.on("error", () => undefined);
  return stream;
}

/** A length-prefixed DeltaDiscoveryRequest. */
export function requestBytes(message: object): Buffer {
  const encoded = encode("envoy.service.discovery.v3.DeltaDiscoveryRequest", message);
  if (!encoded.ok) throw new Error(JSON.stringify(encoded.problems));
  return Buffer.concat([frameHead(encoded.bytes.length), encoded.bytes]);
}

/** `grpc-status`, or what else the call ended with. */
export function endOf(stream: ClientHttp2Stream): Promise<string> {
  return new Promise((resolve) => {
    let status: string | undefined;
    const note = (headers: http2.IncomingHttpHeaders): void => {
      status = String(headers["grpc-status"] ?? headers[":status"] ?? status);
    };
    stream.on("response", note);
    stream.on("trailers", note);
    stream.once("close", () => resolve(status ?? `reset ${stream.rstCode}`));
    stream.on("end", () => stream.close());
    stream.resume();
  });
}

/** Calls back for each response, which it acknowledges. */
export function readAll(
  stream: ClientHttp2Stream,
  onResponse: (response: RawResponse) => void,
): void {
  const reader = new FrameReader(64 * 1024 * 1024);
  stream.on("data", (chunk: Buffer) => {
    reader.push(chunk, (bytes) => {
      const message = decode("envoy.service.discovery.v3.DeltaDiscoveryResponse", bytes);
      const response = message as unknown as RawResponse;
      const { typeUrl, nonce } = response;
      stream.write(requestBytes({ typeUrl, responseNonce: nonce }));
      onResponse(response);
    });
  });
}
