/** Dials the API server and speaks what it offers: HTTP/2, else HTTP/1.1. */

import type { ConnectionOptions, TLSSocket } from "node:tls";
import { connect as tlsConnect } from "node:tls";
import type { Connection } from "./connection.ts";
import { Http1Connection } from "./http1-connection.ts";
import { Http2Connection } from "./http2-connection.ts";
import type { ClientConfig } from "./kubeconfig.ts";

const CONNECT_TIMEOUT_MS = 10_000;
/** Sessions to one server; each carries the peer's stream limit (Kubernetes: 100 or 250). */
const MAX_CONNECTIONS = 16;

/** Dials when needed and shares connections among all requests of a client. */
export class ConnectionPool {
  readonly #config: ClientConfig;
  readonly #url: URL;
  #connections: Connection[] = [];
  #dialing: Promise<Connection> | undefined;
  #closed = false;

  constructor(config: ClientConfig) {
    this.#config = config;
    this.#url = new URL(config.server);
  }

  async acquire(): Promise<Connection> {
    if (this.#closed) throw new Error("the client is closed");
    this.#connections = this.#connections.filter((connection) => connection.alive);
    const free = this.#connections.find((connection) => connection.hasRoom);
    if (free !== undefined) return free;
    if (this.#connections.length >= MAX_CONNECTIONS) {
      throw new Error(`${MAX_CONNECTIONS} connections to ${this.#url.host} are full of streams`);
    }
    this.#dialing ??= this.#dial().finally(() => {
      this.#dialing = undefined;
    });
    return this.#dialing;
  }

  close(): void {
    this.#closed = true;
    for (const connection of this.#connections) connection.close();
    this.#connections = [];
  }

  async #dial(): Promise<Connection> {
    const connection = await this.#connect();
    if (this.#closed) {
      connection.close();
      throw new Error("the client is closed");
    }
    this.#connections.push(connection);
    return connection;
  }

  async #connect(): Promise<Connection> {
    if (this.#url.protocol === "http:") return new Http1Connection(this.#url, {});
    const options = tlsOptions(this.#config, this.#url);
    const socket = await handshake({ ...options, ALPNProtocols: ["h2", "http/1.1"] });
    if (socket.alpnProtocol === "h2") return new Http2Connection(this.#url, socket);
    socket.destroy();
    return new Http1Connection(this.#url, options);
  }
}

function tlsOptions(config: ClientConfig, url: URL): ConnectionOptions {
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const isAddress = /^[0-9.]+$/.test(host) || host.includes(":");
  return {
    host,
    port: url.port === "" ? 443 : Number(url.port),
    ca: config.ca,
    cert: config.cert,
    key: config.key,
    rejectUnauthorized: config.insecureSkipTlsVerify !== true,
    // An address is no SNI name (RFC 6066); Node then checks the certificate against `host`.
    ...(config.tlsServerName !== undefined
      ? { servername: config.tlsServerName }
      : isAddress
        ? {}
        : { servername: host }),
  };
}

function handshake(options: ConnectionOptions): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = tlsConnect(options);
    socket.setNoDelay(true);
    socket.setKeepAlive(true, 15_000);
    socket.setTimeout(CONNECT_TIMEOUT_MS, () => {
      socket.destroy(new Error(`no TLS handshake within ${CONNECT_TIMEOUT_MS} ms`));
    });
    socket.once("error", reject);
    socket.once("secureConnect", () => {
      socket.setTimeout(0);
      socket.off("error", reject);
      resolve(socket);
    });
  });
}
