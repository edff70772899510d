/**
 * A gRPC server for streams, on Node's HTTP/2. It exists because a message is sent here as a list of
 * buffers that all streams share: `@grpc/grpc-js` copies each message for each stream
 * (docs/decisions: 630 MB for a hundred proxies at 1,000 services).
 */

import http2 from "node:http2";
import type { Http2Session, ServerHttp2Session, ServerHttp2Stream } from "node:http2";
import type { AddressInfo, Socket } from "node:net";
import type { Admissions } from "./admissions.ts";
import { superviseSession } from "./grpc-session.ts";
import type { SessionLimits } from "./grpc-session.ts";
import { FrameReader, STATUS, encodeStatusMessage, frameHead } from "./grpc-frames.ts";

/** One call from a client, open until either side ends it. */
export interface GrpcCall {
  /** `address:port` of the client. */
  readonly peer: string;
  /** `address:port` that it has called. */
  readonly local: string;
  /** Sends one message; buffers are not copied and must not change. */
  send(parts: readonly Buffer[]): void;
  /** Ends the call with a grpc-status. */
  end(code: number, message: string): void;
}

export interface CallHandler {
  onMessage(message: Buffer): void;
  /** Called once, whichever side ended it. */
  onEnd(): void;
}

export interface GrpcServerOptions {
  address: string;
  port: number;
  /** PEM; plaintext without. */
  tls?: { cert: string; key: string };
  /** Path (`/package.Service/Method`) → what handles a call of it. */
  methods: ReadonlyMap<string, (call: GrpcCall) => CallHandler>;
  maxMessageBytes: number;
  maxConnections: number;
  limits: SessionLimits;
  /** Calls are heard in their turn. */
  admissions: Admissions;
  log: (line: string) => void;
}

export interface GrpcServer {
  readonly address: string;
  readonly port: number;
  /** Ends all calls as UNAVAILABLE, so that clients go elsewhere, and closes. */
  close(): Promise<void>;
}

/** Messages up to this size go out in one piece. */
const COALESCE_BYTES = 16 * 1024;
const CLOSE_GRACE_MS = 1000;
const MAX_HEADERS = 64;
const MAX_HEADER_BYTES = 32 * 1024;
const HANDSHAKE_MS = 10_000;

/** Resolves once it listens. */
export async function startGrpcServer(options: GrpcServerOptions): Promise<GrpcServer> {
  const settings = {
    maxConcurrentStreams: 64,
    initialWindowSize: 1 << 20,
    maxHeaderListSize: MAX_HEADER_BYTES,
  };
  // Outstanding responses are bounded by the streams' protocol, not by Node's own accounting, which
  // would refuse further streams of a connection.
  const common = {
    settings,
    maxSessionMemory: Number.MAX_SAFE_INTEGER,
    maxHeaderListPairs: MAX_HEADERS,
    maxSessionInvalidFrames: 16,
    unknownProtocolTimeout: HANDSHAKE_MS,
  };
  const server =
    options.tls === undefined
      ? http2.createServer(common)
      : http2.createSecureServer({
          ...common,
          ...options.tls,
          minVersion: "TLSv1.2",
          handshakeTimeout: HANDSHAKE_MS,
        });
  server.maxConnections = options.maxConnections;
  const sessions = new Set<ServerHttp2Session>();
  const calls: OpenCalls = new Map();
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  server.on("session", (session) => {
    sessions.add(session);
    calls.set(session, new Set());
    // Clients that vanish are no news; their streams end, and that is handled there.
    session.on("error", () => session.destroy());
    session.once("close", () => {
      sessions.delete(session);
      calls.delete(session);
    });
    superviseSession(session, options.limits, () => {
      for (const call of calls.get(session) ?? []) {
        call.end(STATUS.UNAVAILABLE, "this connection has had its time: connect again");
      }
    });
  });
  server.on("stream", (stream: ServerHttp2Stream, headers: http2.IncomingHttpHeaders) =>
    handleStream(stream, headers, { options, calls }),
  );
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port, options.address, resolve);
  });
  server.on("error", (error) => options.log(`server: ${error.message}`));
  const bound = server.address() as AddressInfo;
  return {
    address: bound.address,
    port: bound.port,
    close: () => closeServer(server, { sessions, calls, sockets }),
  };
}

type OpenCalls = Map<Http2Session, Set<GrpcCall>>;

interface Open {
  sessions: Set<ServerHttp2Session>;
  calls: OpenCalls;
  sockets: Set<Socket>;
}

/** A connection may still be in its TLS handshake, and have no session before all are told. */
async function closeServer(
  server: { close(done: () => void): unknown },
  { sessions, calls, sockets }: Open,
): Promise<void> {
  for (const call of [...calls.values()].flatMap((all) => [...all]))
    call.end(STATUS.UNAVAILABLE, "the server is shutting down");
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  for (const session of sessions) session.close();
  const force = setTimeout(() => {
    for (const session of sessions) session.destroy();
    for (const socket of sockets) socket.destroy();
  }, CLOSE_GRACE_MS);
  await closed;
  clearTimeout(force);
}

interface Context {
  options: GrpcServerOptions;
  calls: OpenCalls;
}

function handleStream(
  stream: ServerHttp2Stream,
  headers: http2.IncomingHttpHeaders,
  { options, calls }: Context,
): void {
  stream.on("error", () => stream.destroy());
  const open = options.methods.get(headers[":path"] ?? "");
  const isGrpc = headers["content-type"]?.startsWith("application/grpc") ?? false;
  if (open === undefined || !isGrpc || headers[":method"] !== "POST") {
    refuse(stream, isGrpc ? STATUS.UNIMPLEMENTED : undefined);
    return;
  }
  let status = { code: STATUS.OK as number, message: "" };
  let ended = false;
  stream.respond(
    { ":status": 200, "content-type": "application/grpc", "grpc-accept-encoding": "identity" },
    { waitForTrailers: true },
  );
  stream.on("wantTrailers", () => {
    const message =
      status.message === "" ? {} : { "grpc-message": encodeStatusMessage(status.message) };
    stream.sendTrailers({ "grpc-status": String(status.code), ...message });
  });
  const socket = stream.session?.socket;
  const call: GrpcCall = {
    peer: `${socket?.remoteAddress}:${socket?.remotePort}`,
    local: `${socket?.localAddress}:${socket?.localPort}`,
    send: (parts) => sendMessage(stream, parts),
    end(code, message) {
      if (ended) return;
      ended = true;
      status = { code, message };
      if (!stream.destroyed) stream.end();
    },
  };
  const siblings = stream.session === undefined ? undefined : calls.get(stream.session);
  siblings?.add(call);
  // Nothing of a call is read before its turn, so waiting costs what HTTP/2 lets the client send.
  let handler: CallHandler | undefined;
  const leave = options.admissions.enter(() => {
    if (stream.destroyed) return;
    handler = open(call);
    hear(stream, { call, handler, isEnded: () => ended }, options);
  });
  stream.once("close", () => {
    ended = true;
    siblings?.delete(call);
    leave();
    handler?.onEnd();
  });
}

interface HeardCall {
  call: GrpcCall;
  handler: CallHandler;
  isEnded: () => boolean;
}

function hear(
  stream: ServerHttp2Stream,
  { call, handler, isEnded }: HeardCall,
  options: GrpcServerOptions,
): void {
  const reader = new FrameReader(options.maxMessageBytes);
  stream.on("data", (chunk: Buffer) => {
    if (isEnded()) return;
    const problem = reader.push(chunk, (message) => {
      if (!isEnded()) guard(call, options.log, () => handler.onMessage(message));
    });
    if (problem !== undefined) call.end(problem.code, problem.message);
  });
  stream.on("end", () => call.end(STATUS.OK, ""));
}

/** A bug that one call brings up ends that call only. */
function guard(call: GrpcCall, log: (line: string) => void, handle: () => void): void {
  try {
    handle();
  } catch (error) {
    log(`${call.peer}: ${error instanceof Error ? error.stack : String(error)}`);
    call.end(STATUS.INTERNAL, "internal error");
  }
}

function refuse(stream: ServerHttp2Stream, code: number | undefined): void {
  if (code === undefined) {
    stream.respond({ ":status": 415 }, { endStream: true });
    return;
  }
  stream.respond(
    { ":status": 200, "content-type": "application/grpc", "grpc-status": String(code) },
    { endStream: true },
  );
}

function sendMessage(stream: ServerHttp2Stream, parts: readonly Buffer[]): void {
  if (stream.destroyed || stream.writableEnded) return;
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const pieces = [frameHead(length), ...parts];
  if (length <= COALESCE_BYTES) {
    stream.write(Buffer.concat(pieces));
    return;
  }
  stream.cork();
  for (const piece of pieces) stream.write(piece);
  stream.uncork();
}
