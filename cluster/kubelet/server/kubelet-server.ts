/** The kubelet's HTTPS API: logs, exec, attach, pods, stats. Only the API server may call it. */

import { readFile } from "node:fs/promises";
import { type IncomingMessage, STATUS_CODES, type ServerResponse } from "node:http";
import { type Server, createServer } from "node:https";
import type { Duplex } from "node:stream";
import type { TLSSocket } from "node:tls";
import { WebSocketServer } from "ws";
import type { PkiFiles } from "#cluster/api/process-config.ts";
import { REASON_CODES, StatusError, statusError } from "#cluster/api/status-error.ts";
import { describeError } from "#cluster/client/log.ts";
import { CHANNEL_PROTOCOLS } from "./channels.ts";
import { parseStreamQuery, serveAttach, serveExec } from "./exec-handler.ts";
import { serveLogs } from "./logs-handler.ts";
import { statsSummary } from "./stats.ts";
import { type ContainerPath, type ServerContext, findRunning } from "./targets.ts";

/** Names of clients that may call besides those of the group system:masters. */
const CALLERS = new Set(["kube-apiserver-kubelet-client", "kube-apiserver"]);
const MAX_MESSAGE_BYTES = 8 << 20;
const CONTAINER_PATH = /^\/(containerLogs|exec|attach)\/([^/]+)\/([^/]+)\/([^/]+)$/;

/** Serves until the server is closed; port 0 takes a free one. */
export async function startKubeletServer(options: {
  server: ServerContext;
  serving: PkiFiles;
  address: string;
  port: number;
}): Promise<Server> {
  const { serving, server } = options;
  const [ca, cert, key] = await Promise.all([
    readFile(serving.caFile),
    readFile(serving.certFile),
    readFile(serving.keyFile),
  ]);
  const tls = { ca, cert, key, requestCert: true, rejectUnauthorized: true };
  const https = createServer({ ...tls, minVersion: "TLSv1.2" }, (request, response) => {
    void answer(server, request, response);
  });
  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: MAX_MESSAGE_BYTES,
    handleProtocols: (offered) => CHANNEL_PROTOCOLS.find((name) => offered.has(name)) ?? false,
  });
  https.on("upgrade", (request, socket, head) => upgrade(server, sockets, request, socket, head));
  await new Promise<void>((resolve, reject) => {
    https.once("error", (error) =>
      reject(new Error(`kubelet API on ${options.address}:${options.port}: ${error.message}`)),
    );
    https.listen(options.port, options.address, resolve);
  });
  return https;
}

async function answer(
  server: ServerContext,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  try {
    authorize(request);
    const url = new URL(request.url ?? "/", "https://node");
    const target = containerPath(url.pathname);
    if (request.method !== "GET") throw statusError("MethodNotAllowed", "only GET is offered");
    if (target?.verb === "containerLogs") {
      return await serveLogs(server, target.path, url.searchParams, response);
    }
    const body = await document(server, url.pathname);
    const isText = typeof body === "string";
    response.writeHead(200, { "content-type": isText ? "text/plain" : "application/json" });
    response.end(isText ? body : JSON.stringify(body));
  } catch (error) {
    fail(response, error);
  }
}

async function document(server: ServerContext, path: string): Promise<unknown> {
  switch (path) {
    case "/healthz":
    case "/healthz/ping":
      return "ok";
    case "/pods":
    case "/pods/":
      return {
        kind: "PodList",
        apiVersion: "v1",
        metadata: {},
        items: server.workers.all().map(({ pod }) => pod),
      };
    case "/stats/summary":
      return statsSummary(server);
    default:
      throw statusError("NotFound", `the kubelet API has no ${path}`);
  }
}

function upgrade(
  server: ServerContext,
  sockets: WebSocketServer,
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
): void {
  socket.on("error", () => socket.destroy());
  try {
    authorize(request);
    const url = new URL(request.url ?? "/", "https://node");
    const found = containerPath(url.pathname);
    if (found === undefined || found.verb === "containerLogs") {
      throw statusError("NotFound", `the kubelet API has no stream at ${url.pathname}`);
    }
    const target = findRunning(server, found.path);
    const streams = parseStreamQuery(url.searchParams);
    if (found.verb === "exec" && streams.command.length === 0) {
      throw statusError("BadRequest", "you must specify at least 1 command for the container");
    }
    // Last: a client that falls back to another protocol is told what was wrong with its request.
    const offered = (request.headers["sec-websocket-protocol"] ?? "").split(",");
    if (!offered.some((name) => CHANNEL_PROTOCOLS.some((known) => known === name.trim()))) {
      const names = CHANNEL_PROTOCOLS.join(", ");
      throw statusError("BadRequest", `only WebSocket is spoken here, with protocol ${names}`);
    }
    sockets.handleUpgrade(request, socket, head, (webSocket) => {
      const serve = found.verb === "exec" ? serveExec : serveAttach;
      void serve(server, target, streams, webSocket);
    });
  } catch (error) {
    refuseUpgrade(socket, error);
  }
}

/** With a Status: kubectl reads any text that has a colon as the YAML of one, without a message. */
function refuseUpgrade(socket: Duplex, error: unknown): void {
  const { code, message } = describe(error);
  const status = {
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Failure",
    message,
    code,
  };
  const body = JSON.stringify(error instanceof StatusError ? error.status : status);
  const lines = [
    `HTTP/1.1 ${code} ${STATUS_CODES[code] ?? "Refused"}`,
    "content-type: application/json",
    `content-length: ${Buffer.byteLength(body)}`,
    "connection: close",
  ];
  socket.end(`${lines.join("\r\n")}\r\n\r\n${body}`);
}

function containerPath(pathname: string): { verb: string; path: ContainerPath } | undefined {
  const [, verb, ...names] = CONTAINER_PATH.exec(pathname) ?? [];
  if (verb === undefined) return undefined;
  const [namespace = "", pod = "", container = ""] = names.map(decodeURIComponent);
  return { verb, path: { namespace, pod, container } };
}

/** The certificate is one of our CA; that alone is not enough: nodes and users have one, too. */
function authorize(request: IncomingMessage): void {
  const subject = (request.socket as TLSSocket).getPeerCertificate().subject;
  const names = [subject?.CN].flat();
  const groups = [subject?.O].flat();
  if (groups.includes("system:masters")) return;
  if (names.some((name) => name !== undefined && CALLERS.has(name))) return;
  throw statusError("Forbidden", `${names.join()} may not call the kubelet API`);
}

function fail(response: ServerResponse, error: unknown): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const { code, message } = describe(error);
  response.writeHead(code, { "content-type": "text/plain" });
  response.end(message);
}

function describe(error: unknown): { code: number; message: string } {
  if (error instanceof StatusError) {
    const { code = 500, message = "" } = error.status;
    return { code, message };
  }
  if (error instanceof URIError) return { code: REASON_CODES.BadRequest, message: error.message };
  return { code: REASON_CODES.InternalError, message: describeError(error) };
}
