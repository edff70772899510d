/** The running gateway, as far as its owner needs it: its files and what it listens on. */

import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { get } from "node:http";
import path from "node:path";
import { adminSocketPath } from "./envoy-files.ts";

const TIMEOUT_MS = 500;
const MAX_ANSWER_BYTES = 4 << 20;

/** Replaces a file of the folder at once, which is also what makes Envoy read it. */
export function replaceFile(dir: string, name: string, content: string): void {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const temporary = path.join(dir, `.${name}.new`);
  writeFileSync(temporary, content, { mode: 0o600 });
  renameSync(temporary, path.join(dir, name));
}

/** Ports that the gateway of this folder listens on now; none when it doesn't run. */
export async function gatewayPorts(dir: string): Promise<Set<number>> {
  const socketPath = adminSocketPath(dir);
  if (socketPath === undefined) return new Set();
  const text = await fetchText(socketPath, "/listeners?format=json");
  return text === undefined ? new Set() : parseListeners(text);
}

/** The ports of Envoy's answer to `/listeners?format=json`. */
export function parseListeners(text: string): Set<number> {
  const { listener_statuses: statuses = [] } = JSON.parse(text) as {
    listener_statuses?: { local_address?: { socket_address?: { port_value?: number } } }[];
  };
  const ports = statuses.map((status) => status.local_address?.socket_address?.port_value);
  return new Set(ports.filter((port) => port !== undefined));
}

function fetchText(socketPath: string, requestPath: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const options = { socketPath, path: requestPath, timeout: TIMEOUT_MS };
    const request = get(options, (response) => {
      const chunks: Buffer[] = [];
      let size = 0;
      response.on("data", (chunk: Buffer) => {
        size += chunk.length;
        if (size > MAX_ANSWER_BYTES) request.destroy();
        chunks.push(chunk);
      });
      response.on("end", () => resolve(Buffer.concat(chunks).toString()));
      response.on("error", () => resolve(undefined));
    });
    request.on("timeout", () => request.destroy());
    // No socket or nobody behind it: no gateway runs.
    request.on("error", () => resolve(undefined));
  });
}
