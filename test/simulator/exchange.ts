/** A call on the wire: through the entry, towards the destination that a PROXY header names. */

import net from "node:net";
import { Duplex } from "node:stream";
import tls from "node:tls";
import type { Call } from "#pilot/explain/simulate.ts";

export type Answer =
  | { readonly kind: "closed" }
  | {
      readonly kind: "http";
      readonly status: number;
      readonly headers: ReadonlyMap<string, string>;
    }
  /** Anything that isn't an answer to a request. */
  | { readonly kind: "bytes"; readonly text: string };

const LIMIT_MS = 20_000;

/** One call, answered by whoever ends its connection. */
export async function exchange(entryPort: number, call: Call): Promise<Answer> {
  if (call.tls !== true) {
    const answer = await plain(entryPort, call, payloadOf(call));
    return speaksTls(answer) ? { kind: "closed" } : answer;
  }
  const hello = await helloOf(call.serverName ?? "");
  const answer = await plain(entryPort, call, hello);
  return speaksTls(answer) ? encrypted(entryPort, call) : answer;
}

/** A record of a handshake or an alert: the proxy itself ends TLS. */
function speaksTls(answer: Answer): boolean {
  return answer.kind === "bytes" && ["\u0015", "\u0016"].includes(answer.text.slice(0, 1));
}

function header({ address = "192.0.2.1", port }: Call): string {
  return `PROXY TCP4 192.0.2.250 ${address} 1024 ${port}\r\n`;
}

function payloadOf(call: Call): Buffer {
  if (call.protocol === "tcp") return Buffer.from("\u0000\u0001\u0002 no request\r\n\r\n");
  const headers = Object.entries(call.headers ?? {}).map(([name, value]) => `${name}: ${value}`);
  const lines = [
    `${call.method ?? "GET"} ${call.path ?? "/"} HTTP/1.1`,
    `host: ${call.host ?? ""}`,
    ...headers,
    "connection: close",
  ];
  return Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "latin1");
}

function plain(entryPort: number, call: Call, payload: Buffer): Promise<Answer> {
  const socket = net.connect({ port: entryPort, host: "127.0.0.1" });
  socket.write(header(call));
  socket.write(payload);
  return answerOn(socket);
}

/** The first answer, or that the connection ended without any. */
function answerOn(socket: Duplex): Promise<Answer> {
  return new Promise((resolve, reject) => {
    let text = "";
    const limit = setTimeout(() => {
      socket.destroy();
      reject(new Error(`no answer after ${LIMIT_MS} ms, but: ${text}`));
    }, LIMIT_MS);
    const done = (): void => {
      clearTimeout(limit);
      socket.destroy();
      resolve(parse(text));
    };
    socket.on("data", (chunk: Buffer) => {
      text += chunk.toString("latin1");
      const isPartOfHttp = text.startsWith("HTTP/1.1") && !text.includes("\r\n\r\n");
      if (text.length >= 8 && !isPartOfHttp) done();
    });
    socket.on("error", done);
    socket.on("close", done);
  });
}

function parse(text: string): Answer {
  if (text === "") return { kind: "closed" };
  const [first = "", ...lines] = text.split("\r\n\r\n", 1)[0]?.split("\r\n") ?? [];
  const status = /^HTTP\/1\.1 (\d+)/.exec(first)?.[1];
  if (status === undefined) return { kind: "bytes", text };
  const headers = lines.map((line): [string, string] => {
    const at = line.indexOf(":");
    return [line.slice(0, at).toLowerCase(), line.slice(at + 1).trim()];
  });
  return { kind: "http", status: Number(status), headers: new Map(headers) };
}

function encrypted(entryPort: number, call: Call): Promise<Answer> {
  const socket = net.connect({ port: entryPort, host: "127.0.0.1" });
  socket.write(header(call));
  const secured = tls.connect({ socket, rejectUnauthorized: false, ...named(call.serverName) });
  secured.write(payloadOf(call));
  socket.on("error", () => secured.destroy());
  return answerOn(secured);
}

/** An address can't be a server name. */
function named(serverName = ""): { servername?: string } {
  return serverName === "" || net.isIP(serverName) !== 0 ? {} : { servername: serverName };
}

const hellos = new Map<string, Promise<Buffer>>();

/** The first record of a TLS client. */
function helloOf(serverName: string): Promise<Buffer> {
  const known = hellos.get(serverName);
  if (known !== undefined) return known;
  const made = new Promise<Buffer>((resolve) => {
    const socket = new Duplex({
      read: () => undefined,
      write: (chunk: Buffer) => resolve(chunk),
    });
    tls.connect({ socket, ...named(serverName) }).on("error", () => undefined);
  });
  hellos.set(serverName, made);
  return made;
}
