/** The one face of HTTP/1.1 and HTTP/2 responses. */

import type { ServerResponse } from "node:http";
import type { Http2ServerResponse } from "node:http2";
import type { Writable } from "node:stream";

export type HttpResponse = ServerResponse | Http2ServerResponse;
export type OutputHeaders = Record<string, string | string[]>;

export interface Output {
  /** Sets the head, which goes with the first of the body; once. */
  head(code: number, headers: OutputHeaders): void;
  /** Sends the head although nothing of the body is there yet. */
  flushHead(): void;
  /** Bytes only: Node 26 garbles strings that are written to HTTP/2 in one turn (seen here). */
  write(chunk: Uint8Array): void;
  end(chunk?: string | Uint8Array): void;
  /** Ends at once, so that the client sees a broken stream and not a short answer. */
  destroy(): void;
  readonly started: boolean;
  /** Whether the client is gone. */
  readonly closed: boolean;
  /** What was written and the client hasn't taken yet. */
  readonly pendingBytes: number;
  /** Resolves when the client keeps up with what was written, or is gone. */
  drained(): Promise<void>;
}

export function outputOf(response: HttpResponse): Output {
  // What both have in common; their overloads differ, so a union of them can't be called.
  const common: Pick<ServerResponse, "writeHead" | "end" | "flushHeaders"> & {
    write(chunk: unknown): boolean;
  } = response as ServerResponse;
  const stream = "stream" in response ? response.stream : response;
  return {
    head: (code, headers) => void common.writeHead(code, headers),
    flushHead: () => common.flushHeaders(),
    write: (chunk) => {
      if (!stream.destroyed && !response.writableEnded) common.write(chunk);
    },
    end: (chunk) => {
      if (!stream.destroyed && !response.writableEnded) common.end(chunk);
    },
    destroy: () => void stream.destroy(),
    get started() {
      return response.headersSent;
    },
    get closed() {
      return stream.destroyed;
    },
    get pendingBytes() {
      return stream.writableLength;
    },
    drained: () => drained(stream),
  };
}

function drained(stream: Writable): Promise<void> {
  return new Promise((resolve) => {
    if (stream.destroyed || !stream.writableNeedDrain) {
      resolve();
      return;
    }
    const done = (): void => {
      stream.off("drain", done);
      stream.off("close", done);
      resolve();
    };
    stream.on("drain", done);
    stream.on("close", done);
  });
}
