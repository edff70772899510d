/** The running gateway, as far as its owner needs it: its files and what it listens on. */

import {
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  renameSync,
  writeFileSync,
} from "node:fs";
import { get } from "node:http";
import path from "node:path";
import { ADMIN_SOCKET } from "./envoy-files.ts";

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
  const answer = await askGateway(dir, "/listeners?format=json");
  return answer === undefined ? new Set() : parseListeners(answer.body);
}

/** Whether the gateway of this folder runs and serves what its files say. */
export async function isGatewayReady(dir: string): Promise<boolean> {
  return (await askGateway(dir, "/ready"))?.status === 200;
}

/** The ports of Envoy's answer to `/listeners?format=json`. */
export function parseListeners(text: string): Set<number> {
  const { listener_statuses: statuses = [] } = JSON.parse(text) as {
    listener_statuses?: { local_address?: { socket_address?: { port_value?: number } } }[];
  };
  const ports = statuses.map((status) => status.local_address?.socket_address?.port_value);
  return new Set(ports.filter((port) => port !== undefined));
}

interface Answer {
  status: number;
  body: string;
}

/** Asks by way of an open folder, whose name in /proc is short however long the folder's path. */
async function askGateway(dir: string, requestPath: string): Promise<Answer | undefined> {
  if (!existsSync(path.join(dir, ADMIN_SOCKET))) return undefined;
  const folder = openSync(dir, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    return await fetchText(`/proc/self/fd/${folder}/${ADMIN_SOCKET}`, requestPath);
  } finally {
    closeSync(folder);
  }
}

function fetchText(socketPath: string, requestPath: string): Promise<Answer | undefined> {
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
      response.on("end", () => {
        resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString() });
      });
      response.on("error", () => resolve(undefined));
    });
    request.on("timeout", () => request.destroy());
    // No socket or nobody behind it: no gateway runs.
    request.on("error", () => resolve(undefined));
  });
}
