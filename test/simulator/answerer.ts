/** One server behind all clusters that says in which cluster's name it was called, and with what. */

import net from "node:net";

export interface Answerer {
  readonly port: number;
  close(): void;
}

/** The address that the cluster of an index is called by: each has its own on loopback. */
export function addressOf(index: number): string {
  return `127.77.${index >> 8}.${index & 255}`;
}

/** The index of an address as `addressOf` made it. */
export function indexOf(address: string): number {
  const [, , high, low] = address.split(".").map(Number);
  return ((high ?? 0) << 8) + (low ?? 0);
}

const FIRST_BYTES = { http: /^[A-Z]+ \S+ HTTP\/1\.1\r\n/, end: "\r\n\r\n" };

/**
 * HTTP requests are answered 200 with headers `x-address`, `x-path` and `x-authority`; of anything
 * else the first bytes are answered with a line that starts with `address `.
 */
export async function startAnswerer(): Promise<Answerer> {
  const server = net.createServer((socket) => {
    let text = "";
    socket.on("error", () => socket.destroy());
    socket.on("data", (chunk) => {
      text += chunk.toString("latin1");
      const answer = answerTo(text, socket.localAddress ?? "");
      if (answer === undefined) return;
      text = "";
      socket.end(answer, "latin1");
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "0.0.0.0", resolve));
  const { port } = server.address() as net.AddressInfo;
  return { port, close: () => void server.close() };
}

function answerTo(text: string, address: string): string | undefined {
  if (!/^[A-Z]/.test(text)) return `address ${address}\n`;
  if (!text.includes(FIRST_BYTES.end)) return undefined;
  if (!FIRST_BYTES.http.test(text)) return `address ${address}\n`;
  const path = text.split(" ", 2)[1] ?? "";
  const authority = /\r\nhost: *([^\r]*)/i.exec(text)?.[1] ?? "";
  const headers = [
    ["x-address", address],
    ["x-path", path],
    ["x-authority", authority],
    ["content-length", "0"],
    ["connection", "close"],
  ];
  const lines = headers.map((header) => header.join(": "));
  return ["HTTP/1.1 200 OK", ...lines, "", ""].join("\r\n");
}
