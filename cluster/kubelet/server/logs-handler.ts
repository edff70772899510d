/** GET /containerLogs/NAMESPACE/POD/CONTAINER (PodLogOptions as query parameters). */

import type { ServerResponse } from "node:http";
import { once } from "node:events";
import { statusError } from "#cluster/api/status-error.ts";
import { type LogOptions, readLog } from "#cluster/runtime/log-reader.ts";
import { type ContainerPath, type ServerContext, findTarget } from "./targets.ts";

/** Streams the log; throws a Status before the first byte when it can't. */
export async function serveLogs(
  server: ServerContext,
  path: ContainerPath,
  query: URLSearchParams,
  response: ServerResponse,
): Promise<void> {
  const { status } = findTarget(server, path, query.get("previous") === "true");
  const closed = new AbortController();
  response.on("close", () => closed.abort());
  const { containers } = server.context.runtime;
  const options: LogOptions = {
    ...parseLogQuery(query, Date.now()),
    signal: closed.signal,
    isRunning: () => containers.get(status.id)?.state === "running",
  };
  response.writeHead(200, { "content-type": "text/plain", "x-content-type-options": "nosniff" });
  response.flushHeaders();
  for await (const piece of readLog(status.logPath, options)) {
    if (!response.write(piece) && !closed.signal.aborted) {
      await Promise.race([once(response, "drain"), once(response, "close")]);
    }
  }
  response.end();
}

/** Throws BadRequest for numbers and times that aren't. */
export function parseLogQuery(
  query: URLSearchParams,
  nowMs: number,
): Omit<LogOptions, "signal" | "isRunning"> {
  const sinceSeconds = integer(query, "sinceSeconds");
  const stream = query.get("stream");
  return {
    follow: query.get("follow") === "true",
    timestamps: query.get("timestamps") === "true",
    tailLines: integer(query, "tailLines"),
    limitBytes: integer(query, "limitBytes"),
    sinceMs: sinceSeconds === undefined ? sinceTime(query) : nowMs - sinceSeconds * 1000,
    stream: stream === "Stdout" ? "stdout" : stream === "Stderr" ? "stderr" : undefined,
  };
}

function integer(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name);
  if (text === null || text === "") return undefined;
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw statusError("BadRequest", `${name}: ${JSON.stringify(text)} must be a number ≥ 0`);
}

function sinceTime(query: URLSearchParams): number | undefined {
  const text = query.get("sinceTime");
  if (text === null || text === "") return undefined;
  const time = Date.parse(text);
  if (!Number.isNaN(time)) return time;
  throw statusError("BadRequest", `sinceTime: ${JSON.stringify(text)} must be an RFC 3339 time`);
}
