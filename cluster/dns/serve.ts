/** DNS over UDP and TCP on one address. */

import { createSocket } from "node:dgram";
import { once } from "node:events";
import { createServer } from "node:net";
import type { Socket } from "node:net";
import type { Responder } from "./responder.ts";

export interface Listen {
  address: string;
  port: number;
}

const MAX_CONNECTIONS = 512;
/** Questions of one connection that wait for their answer. */
const MAX_PIPELINED = 64;
const IDLE_MS = 10_000;
const MAX_ATTEMPTS = 16;
const RECEIVE_BUFFER_BYTES = 4 << 20;

/**
 * Resolves when both listen, with the port (which port 0 leaves open); closes both when the signal
 * aborts. Rejects, naming the address, when it can't be listened on.
 */
export async function serveDns(
  listen: Listen,
  respond: Responder,
  signal: AbortSignal,
): Promise<{ port: number }> {
  for (let attempt = 1; ; attempt++) {
    // A port that is free for UDP may be somebody's for TCP: another is taken where any will do.
    const given = new AbortController();
    const both = AbortSignal.any([signal, given.signal]);
    const { port } = await serveUdp(listen, respond, both).catch((cause: Error) => {
      const at = `${listen.address}:${listen.port}/udp`;
      throw new Error(`DNS can't listen on ${at}: ${cause.message}`, { cause });
    });
    try {
      await serveTcp({ ...listen, port }, respond, both);
      return { port };
    } catch (cause) {
      given.abort();
      if (listen.port === 0 && attempt < MAX_ATTEMPTS && isTaken(cause)) continue;
      const message = cause instanceof Error ? cause.message : String(cause);
      const at = `${listen.address}:${port}/tcp`;
      throw new Error(`DNS can't listen on ${at}: ${message}`, { cause });
    }
  }
}

function isTaken(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === "EADDRINUSE";
}

async function serveUdp(
  listen: Listen,
  respond: Responder,
  signal: AbortSignal,
): Promise<{ port: number }> {
  const socket = createSocket({ type: "udp4", recvBufferSize: RECEIVE_BUFFER_BYTES });
  const send = (answer: Buffer | undefined, port: number, address: string): void => {
    // A client that is gone is no concern: the callback takes the error.
    if (answer !== undefined && !signal.aborted) {
      socket.send(answer, port, address, ignore);
    }
  };
  socket.on("message", (message, from) => {
    const answer = respond(message, "udp");
    if (answer instanceof Promise) void answer.then((a) => send(a, from.port, from.address));
    else send(answer, from.port, from.address);
  });
  socket.bind({ address: listen.address, port: listen.port });
  await once(socket, "listening");
  // After the start, errors are those of single packets (an ICMP answer of a client that is gone).
  socket.on("error", ignore);
  signal.addEventListener("abort", () => socket.close(), { once: true });
  return { port: socket.address().port };
}

async function serveTcp(listen: Listen, respond: Responder, signal: AbortSignal): Promise<void> {
  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    serveConnection(socket, respond);
  });
  server.maxConnections = MAX_CONNECTIONS;
  server.listen(listen.port, listen.address);
  await once(server, "listening");
  server.on("error", ignore);
  const close = (): void => {
    server.close();
    for (const socket of sockets) socket.destroy();
  };
  signal.addEventListener("abort", close, { once: true });
}

/** Questions of one connection are answered as they are ready, in any order (RFC 7766). */
function serveConnection(socket: Socket, respond: Responder): void {
  let received: Buffer = Buffer.alloc(0);
  let pending = 0;
  const answer = async (message: Buffer): Promise<void> => {
    const reply = await respond(message, "tcp");
    pending -= 1;
    if (reply !== undefined && socket.writable) socket.write(framed(reply));
    pump();
  };
  const pump = (): void => {
    for (;;) {
      const isFull = pending >= MAX_PIPELINED;
      if (isFull !== socket.isPaused()) {
        if (isFull) socket.pause();
        else socket.resume();
      }
      const end = received.length < 2 ? Number.POSITIVE_INFINITY : 2 + received.readUInt16BE(0);
      if (isFull || received.length < end) return;
      const message = received.subarray(2, end);
      received = received.subarray(end);
      pending += 1;
      void answer(message);
    }
  };
  socket.setTimeout(IDLE_MS, () => socket.destroy());
  socket.on("error", () => socket.destroy());
  socket.on("data", (chunk: Buffer) => {
    received = Buffer.concat([received, chunk]);
    pump();
  });
}

function framed(message: Buffer): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(message.length);
  return Buffer.concat([length, message]);
}

function ignore(): void {}
