/** One HTTP/2 session that carries all requests and watches of a client. */

import { connect, constants } from "node:http2";
import type { ClientHttp2Session, ClientHttp2Stream } from "node:http2";
import type { TLSSocket } from "node:tls";
import { RefusedRequestError } from "./connection.ts";
import type { Connection, HttpRequest, HttpResponse } from "./connection.ts";

const PING_INTERVAL_MS = 5_000;
const STREAM_WINDOW_BYTES = 1 << 20;
const SESSION_WINDOW_BYTES = 1 << 24;
/** Used until the peer's settings arrive (RFC 9113 recommends at least 100). */
const DEFAULT_STREAM_LIMIT = 100;

/** Pings every 5 s; a peer that hasn't answered the last ping by the next one is dead. */
export class Http2Connection implements Connection {
  readonly #url: URL;
  readonly #session: ClientHttp2Session;
  readonly #pings: NodeJS.Timeout;
  #open = 0;
  #alive = true;

  constructor(url: URL, socket: TLSSocket) {
    this.#url = url;
    this.#session = connect(url.origin, {
      createConnection: () => socket,
      settings: { initialWindowSize: STREAM_WINDOW_BYTES, enablePush: false },
    });
    this.#session.once("connect", () => this.#session.setLocalWindowSize(SESSION_WINDOW_BYTES));
    // An error also closes the session; the requests on it report it.
    for (const event of ["error", "goaway", "close"]) this.#session.on(event, () => this.#retire());
    this.#pings = this.#keepAlive();
  }

  get alive(): boolean {
    return this.#alive && !this.#session.destroyed && !this.#session.closed;
  }

  get hasRoom(): boolean {
    const limit = this.#session.remoteSettings.maxConcurrentStreams ?? DEFAULT_STREAM_LIMIT;
    return this.alive && this.#open < limit;
  }

  request(request: HttpRequest): Promise<HttpResponse> {
    return new Promise((resolve, reject) => {
      if (!this.alive) {
        reject(new RefusedRequestError("the connection is closing"));
        return;
      }
      const stream = this.#session.request(
        {
          ...request.headers,
          [constants.HTTP2_HEADER_METHOD]: request.method,
          [constants.HTTP2_HEADER_PATH]: request.path,
          [constants.HTTP2_HEADER_AUTHORITY]: this.#url.host,
        },
        { endStream: request.body === undefined, signal: request.signal },
      );
      this.#open += 1;
      stream.once("response", (headers) => {
        resolve({ code: Number(headers[constants.HTTP2_HEADER_STATUS]), body: bodyOf(stream) });
      });
      // Kept after the answer's head: a broken stream then fails its reader, not the process.
      stream.on("error", (error) => reject(isRefused(stream) ? refusal(error) : error));
      stream.once("close", () => {
        this.#open -= 1;
        const error = new Error(`stream closed before an answer${closeReason(stream)}`);
        reject(isRefused(stream) ? refusal(error) : error);
      });
      if (request.body !== undefined) stream.end(request.body);
    });
  }

  close(): void {
    this.#retire();
    this.#session.destroy();
  }

  #retire(): void {
    this.#alive = false;
    clearInterval(this.#pings);
  }

  #keepAlive(): NodeJS.Timeout {
    let outstanding = false;
    return setInterval(() => {
      if (outstanding) {
        this.#retire();
        this.#session.destroy(new Error(`no answer to a ping within ${PING_INTERVAL_MS} ms`));
        return;
      }
      outstanding = this.#session.ping(() => {
        outstanding = false;
      });
    }, PING_INTERVAL_MS).unref();
  }
}

/** Node ends the stream of a broken session like a finished one: the code tells them apart. */
async function* bodyOf(stream: ClientHttp2Stream): AsyncGenerator<Buffer, void, undefined> {
  for await (const chunk of stream) yield chunk as Buffer;
  if (stream.aborted || (stream.rstCode ?? 0) !== constants.NGHTTP2_NO_ERROR) {
    throw new Error(`connection broke within an answer${closeReason(stream)}`);
  }
}

function isRefused(stream: ClientHttp2Stream): boolean {
  return stream.rstCode === constants.NGHTTP2_REFUSED_STREAM;
}

function refusal(cause: Error): RefusedRequestError {
  return new RefusedRequestError("the server refused the request unseen", { cause });
}

function closeReason(stream: ClientHttp2Stream): string {
  return stream.rstCode === undefined || stream.rstCode === 0 ? "" : ` (code ${stream.rstCode})`;
}
