/**
 * The channels of `v4.channel.k8s.io` and `v5.channel.k8s.io`: the first byte of a WebSocket message
 * says which stream it belongs to; v5 adds a signal that a stream has ended.
 */

import { once } from "node:events";
import type { Readable, Writable } from "node:stream";
import { type RawData, WebSocket } from "ws";
import type { Status } from "#cluster/api/status-error.ts";

export const CHANNEL_PROTOCOLS = ["v5.channel.k8s.io", "v4.channel.k8s.io"] as const;

const STDIN = 0;
const STDOUT = 1;
const STDERR = 2;
const ERROR = 3;
const RESIZE = 4;
const CLOSE = 255;
/** Output waits while more than this is on its way. */
const MAX_BUFFERED_BYTES = 1 << 20;
const DRAIN_MS = 5;
const PING_MS = 15_000;

export interface ChannelHandlers {
  stdin?: Writable;
  resize: (columns: number, rows: number) => void;
  /** The client has gone. */
  closed: () => void;
}

export class Channels {
  readonly #socket: WebSocket;
  readonly #ping: NodeJS.Timeout;

  constructor(socket: WebSocket, handlers: ChannelHandlers) {
    this.#socket = socket;
    socket.on("message", (data) => receive(toBuffer(data), handlers, socket));
    socket.on("close", () => {
      clearInterval(this.#ping);
      handlers.closed();
    });
    socket.on("error", () => socket.terminate());
    this.#ping = setInterval(() => socket.ping(), PING_MS).unref();
  }

  /** Sends a stream to its end; the stream pauses while the client is slow. */
  async pipe(name: "stdout" | "stderr", stream: Readable | AsyncIterable<Buffer>): Promise<void> {
    const channel = Buffer.from([name === "stdout" ? STDOUT : STDERR]);
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      if (this.#socket.readyState !== WebSocket.OPEN) return;
      this.#socket.send(Buffer.concat([channel, chunk]));
      while (this.#socket.bufferedAmount > MAX_BUFFERED_BYTES) {
        await new Promise((resolve) => setTimeout(resolve, DRAIN_MS));
        if (this.#socket.readyState !== WebSocket.OPEN) return;
      }
    }
  }

  /** Tells how it ended and closes. */
  finish(status: Status): void {
    if (this.#socket.readyState !== WebSocket.OPEN) return;
    this.#socket.send(Buffer.concat([Buffer.from([ERROR]), Buffer.from(JSON.stringify(status))]));
    this.#socket.close(1000);
  }
}

function receive(message: Buffer, handlers: ChannelHandlers, socket: WebSocket): void {
  const [channel] = message;
  const content = message.subarray(1);
  if (channel === STDIN) {
    const { stdin } = handlers;
    if (stdin === undefined || stdin.destroyed || stdin.writableEnded || content.length === 0)
      return;
    if (!stdin.write(content)) {
      socket.pause();
      void Promise.race([once(stdin, "drain"), once(stdin, "close")]).then(
        () => socket.resume(),
        () => socket.resume(),
      );
    }
  } else if (channel === RESIZE) {
    const size = parseSize(content);
    if (size !== undefined) handlers.resize(size.columns, size.rows);
  } else if (channel === CLOSE && content[0] === STDIN) {
    handlers.stdin?.end();
  }
}

/** `{"Width": 80, "Height": 24}`. */
function parseSize(content: Buffer): { columns: number; rows: number } | undefined {
  try {
    const { Width, Height } = JSON.parse(content.toString("utf8")) as Record<string, unknown>;
    if (typeof Width !== "number" || typeof Height !== "number") return undefined;
    return { columns: Width, rows: Height };
  } catch {
    // A malformed size changes nothing.
    return undefined;
  }
}

function toBuffer(data: RawData): Buffer {
  if (Array.isArray(data)) return Buffer.concat(data);
  return Buffer.isBuffer(data) ? data : Buffer.from(data);
}

/** The Status that ends an exec: Success, or the exit code as a cause. */
export function exitStatus(exitCode: number): Status {
  const base = { kind: "Status", apiVersion: "v1", metadata: {} } as const;
  if (exitCode === 0) return { ...base, status: "Success" };
  return {
    ...base,
    status: "Failure",
    reason: "NonZeroExitCode",
    message: `command terminated with non-zero exit code: exit status ${exitCode}`,
    details: { causes: [{ reason: "ExitCode", message: String(exitCode) }] },
  };
}

/** The Status of a command that could not be run. */
export function failureStatus(message: string): Status {
  const base = { kind: "Status", apiVersion: "v1", metadata: {} } as const;
  return { ...base, status: "Failure", reason: "InternalError", message, code: 500 };
}
