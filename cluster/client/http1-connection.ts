/** Keep-alive HTTP/1.1, for servers and proxies that don't offer HTTP/2. */

import { Agent as HttpAgent, request as httpRequest } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import type { ConnectionOptions } from "node:tls";
import type { Connection, HttpRequest, HttpResponse } from "./connection.ts";

const MAX_SOCKETS = 512;

/** A set of sockets; each watch occupies one. TCP keep-alive finds dead peers. */
export class Http1Connection implements Connection {
  readonly #url: URL;
  readonly #tls: ConnectionOptions;
  readonly #agent: HttpAgent;
  #alive = true;

  constructor(url: URL, tls: ConnectionOptions) {
    this.#url = url;
    this.#tls = tls;
    const options = { keepAlive: true, keepAliveMsecs: 15_000, maxSockets: MAX_SOCKETS };
    this.#agent = url.protocol === "https:" ? new HttpsAgent(options) : new HttpAgent(options);
  }

  get alive(): boolean {
    return this.#alive;
  }

  get hasRoom(): boolean {
    return this.#alive;
  }

  request(request: HttpRequest): Promise<HttpResponse> {
    const send = this.#url.protocol === "https:" ? httpsRequest : httpRequest;
    return new Promise((resolve, reject) => {
      const outgoing = send({
        ...this.#tls,
        host: this.#url.hostname.replace(/^\[|\]$/g, ""),
        port: this.#url.port === "" ? undefined : Number(this.#url.port),
        agent: this.#agent,
        method: request.method,
        path: request.path,
        headers: {
          ...request.headers,
          ...(request.body === undefined
            ? {}
            : { "content-length": String(Buffer.byteLength(request.body)) }),
        },
        signal: request.signal,
      });
      outgoing.once("response", (incoming) => {
        resolve({ code: incoming.statusCode ?? 0, body: incoming });
      });
      outgoing.on("error", reject);
      outgoing.end(request.body);
    });
  }

  close(): void {
    this.#alive = false;
    this.#agent.destroy();
  }
}
