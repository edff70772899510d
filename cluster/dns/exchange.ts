/** One question to one server: by UDP, and by TCP when the answer doesn't fit. */

import { createSocket } from "node:dgram";
import { connect, isIP, isIPv6 } from "node:net";
import { isAnswerTo } from "./message.ts";

export interface Server {
  address: string;
  port: number;
}

/** `address:port`, `[v6]:port` or an address alone; undefined when it is none of these. */
export function parseServer(text: string): Server | undefined {
  const match = /^\[([^\]]+)\]:([0-9]+)$/.exec(text) ?? /^([^:]+):([0-9]+)$/.exec(text);
  const server = { address: match?.[1] ?? text, port: Number(match?.[2] ?? 53) };
  const isAddress = isIP(withoutScope(server.address)) !== 0;
  return isAddress && server.port > 0 && server.port < 65_536 ? server : undefined;
}

export interface Question {
  message: Buffer;
  id: number;
  /** The part of the message that the answer must repeat. */
  question: Buffer;
}

/** Rejects on timeout, refusal or when the signal aborts. Answers of anyone else are ignored. */
export async function exchange(
  server: Server,
  asked: Question,
  signal: AbortSignal,
): Promise<Buffer> {
  const answer = await exchangeUdp(server, asked, signal);
  const isTruncated = (answer.readUInt16BE(2) & 0x0200) !== 0;
  return isTruncated ? exchangeTcp(server, asked, signal) : answer;
}

/** A socket a question: its port is random, and by `connect` the kernel checks who answers. */
function exchangeUdp(server: Server, asked: Question, signal: AbortSignal): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket = createSocket(isIPv6(withoutScope(server.address)) ? "udp6" : "udp4");
    let isDone = false;
    const finish = (error: Error | undefined, answer?: Buffer): void => {
      if (isDone) return;
      isDone = true;
      signal.removeEventListener("abort", abort);
      socket.removeAllListeners("message");
      socket.close();
      if (answer === undefined) reject(error ?? new Error("no answer"));
      else resolve(answer);
    };
    const abort = (): void => finish(new Error(`${server.address} didn't answer in time`));
    if (signal.aborted) {
      abort();
      return;
    }
    signal.addEventListener("abort", abort, { once: true });
    socket.on("error", (error) => finish(error));
    socket.on("message", (message) => {
      if (isAnswerTo(message, asked.id, asked.question)) finish(undefined, message);
    });
    // A callback of `connect` would also get its failure (no route), in place of "error".
    socket.on("connect", () => {
      if (!signal.aborted) socket.send(asked.message);
    });
    socket.connect(server.port, server.address);
  });
}

function exchangeTcp(server: Server, asked: Question, signal: AbortSignal): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: server.address, port: server.port, signal });
    let received: Buffer = Buffer.alloc(0);
    const fail = (error: Error): void => {
      socket.destroy();
      reject(error);
    };
    socket.on("error", fail);
    socket.on("end", () => fail(new Error(`${server.address} closed the connection`)));
    socket.on("data", (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      if (received.length < 2 || received.length < 2 + received.readUInt16BE(0)) return;
      const message = received.subarray(2, 2 + received.readUInt16BE(0));
      if (!isAnswerTo(message, asked.id, asked.question)) {
        fail(new Error(`${server.address} answered something else`));
        return;
      }
      socket.destroy();
      resolve(message);
    });
    const length = Buffer.alloc(2);
    length.writeUInt16BE(asked.message.length);
    socket.write(Buffer.concat([length, asked.message]));
  });
}

/** `fe80::1%eth0` names the link as well. */
function withoutScope(address: string): string {
  return address.split("%")[0] ?? "";
}
