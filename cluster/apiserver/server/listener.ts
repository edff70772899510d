/** The HTTPS listeners: HTTP/2 and HTTP/1.1 on each address, upgrades to tunnels. */

import { setMaxListeners } from "node:events";
import { STATUS_CODES, type IncomingMessage } from "node:http";
import {
  createSecureServer,
  type Http2SecureServer,
  type Http2ServerRequest,
  type Http2ServerResponse,
  type ServerHttp2Session,
} from "node:http2";
import type { Duplex } from "node:stream";
import { authenticate } from "#cluster/apiserver/auth/authenticate.ts";
import { authorize, refusal } from "#cluster/apiserver/auth/authorize.ts";
import { statusError, type Status } from "#cluster/api/status-error.ts";
import type { Tunnel } from "#cluster/apiserver/kubelet-proxy/tunnel.ts";
import { connectionUser, OpenRequest, parseTarget, type HttpRequest } from "./http-request.ts";
import { impersonated } from "./impersonation.ts";
import { outputOf, type HttpResponse } from "./output.ts";
import { respond, respondWithStatus, statusOf } from "./respond.ts";
import { isKnown, route, type Api } from "./router.ts";

export interface ListenerOptions {
  api: Api;
  tunnel: Tunnel;
  tls: { ca: Buffer; cert: Buffer; key: Buffer };
  listen: readonly { address: string; port: number }[];
}

/** The streams that an HTTP/2 client may have open, watches included. */
const MAX_STREAMS = 1_000;
const WINDOW_BYTES = 1024 * 1024;
const CLOSE_GRACE_MS = 2_000;

/** Ends every request and listener. */
export type CloseListeners = () => Promise<void>;

/** Resolves when every address is listened on; rejects naming the one that can't be. */
export async function openListeners(options: ListenerOptions): Promise<CloseListeners> {
  const stopping = new AbortController();
  // Every watch waits for the end.
  setMaxListeners(0, stopping.signal);
  const servers: OpenServer[] = [];
  const close = async (): Promise<void> => {
    stopping.abort();
    await Promise.all(servers.map(closeServer));
  };
  try {
    for (const at of options.listen) {
      const server = createServer(options, stopping.signal);
      servers.push(server);
      await listen(server.server, at);
    }
  } catch (error) {
    await close();
    throw error;
  }
  return close;
}

interface OpenServer {
  server: Http2SecureServer;
  sessions: Set<ServerHttp2Session>;
  sockets: Set<Duplex>;
}

function createServer({ api, tunnel, tls }: ListenerOptions, stopping: AbortSignal): OpenServer {
  const server = createSecureServer({
    ...tls,
    allowHTTP1: true,
    requestCert: true,
    // Those without a certificate may have a token; a foreign one is the same as none.
    rejectUnauthorized: false,
    minVersion: "TLSv1.2",
    settings: { maxConcurrentStreams: MAX_STREAMS, initialWindowSize: WINDOW_BYTES },
  });
  const sessions = new Set<ServerHttp2Session>();
  const sockets = new Set<Duplex>();
  server.on("request", (request: Http2ServerRequest, response: Http2ServerResponse) => {
    void serve(api, { request, response, stopping });
  });
  server.on("session", (session) => {
    sessions.add(session);
    session.on("close", () => sessions.delete(session));
    // A client that breaks the protocol costs its own session only.
    session.on("error", () => session.destroy());
  });
  server.on("secureConnection", (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => socket.destroy());
  });
  server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    void upgrade(api, tunnel, { request, socket, head, stopping });
  });
  return { server, sessions, sockets };
}

interface Exchange {
  request: HttpRequest;
  response: HttpResponse;
  stopping: AbortSignal;
}

/** One request, from its head to the end of its answer; never rejects. */
async function serve(api: Api, exchange: Exchange): Promise<void> {
  const started = performance.now();
  const { request, response, stopping } = exchange;
  const output = outputOf(response);
  response.on("error", () => output.destroy());
  api.metrics.started();
  let info: OpenRequest["info"] = { kind: "path", verb: "get", path: "" };
  try {
    const target = parseTarget(request);
    info = target.info;
    const certificate = connectionUser(request);
    const result = await authenticate(
      api.authenticator,
      certificate,
      request.headers.authorization,
    );
    if (!result.ok) throw statusError("Unauthorized", "Unauthorized");
    const user = impersonated(result.user, request.headers);
    const open = new OpenRequest(exchange, target, user);
    const answer = await route(api, open);
    await respond(output, open, answer, api.context.now());
  } catch (error) {
    // Who has gone needs no answer, and its going is no failure of ours.
    if (output.closed || stopping.aborted) output.destroy();
    else respondWithStatus(output, request.method ?? "GET", statusOf(error));
  }
  const seconds = (performance.now() - started) / 1000;
  api.metrics.finished(info, isKnown(api, { info }), { code: response.statusCode, seconds });
}

interface Upgrade {
  request: IncomingMessage;
  socket: Duplex;
  head: Buffer;
  stopping: AbortSignal;
}

async function upgrade(api: Api, tunnel: Tunnel, given: Upgrade): Promise<void> {
  const { request, socket, head, stopping } = given;
  socket.on("error", () => socket.destroy());
  const aborter = new AbortController();
  const abort = (): void => aborter.abort();
  socket.once("close", abort);
  stopping.addEventListener("abort", abort);
  socket.once("close", () => stopping.removeEventListener("abort", abort));
  try {
    const { info, query } = parseTarget(request);
    const { authorization } = request.headers;
    const result = await authenticate(api.authenticator, connectionUser(request), authorization);
    if (!result.ok) throw statusError("Unauthorized", "Unauthorized");
    const user = impersonated(result.user, request.headers);
    if (info.kind !== "resource" || info.group !== "" || info.plural !== "pods") {
      throw statusError("BadRequest", "only pods/exec, attach and portforward are upgraded");
    }
    // Kubernetes' rule since 1.35: running something is a create, whatever the method.
    const asked = { ...info, verb: "create" } as const;
    if (authorize(user, asked) === undefined) throw refusal(user, asked);
    const { headers } = request;
    await tunnel({ info, query, headers, socket, head, signal: aborter.signal });
  } catch (error) {
    refuseUpgrade(socket, statusOf(error));
  }
}

function refuseUpgrade(socket: Duplex, status: Status): void {
  const body = JSON.stringify(status);
  const code = status.code ?? 500;
  socket.end(
    [
      `HTTP/1.1 ${code} ${STATUS_CODES[code] ?? "Error"}`,
      "Content-Type: application/json",
      `Content-Length: ${Buffer.byteLength(body)}`,
      "Connection: close",
      "",
      body,
    ].join("\r\n"),
  );
}

function listen(
  server: Http2SecureServer,
  { address, port }: { address: string; port: number },
): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (cause) => {
      reject(
        new Error(`API server can't listen on ${address}:${port}: ${cause.message}`, { cause }),
      );
    });
    server.listen(port, address, () => {
      server.removeAllListeners("error");
      server.on("error", (error) => console.error(`listener ${address}:${port}:`, error));
      resolve();
    });
  });
}

/** Lets answers that are under way finish, for a moment. */
async function closeServer({ server, sessions, sockets }: OpenServer): Promise<void> {
  const closed = new Promise<void>((resolve) => {
    server.close(() => resolve());
  });
  for (const session of sessions) session.close();
  const timer = setTimeout(() => {
    for (const socket of sockets) socket.destroy();
  }, CLOSE_GRACE_MS);
  await closed;
  clearTimeout(timer);
}
