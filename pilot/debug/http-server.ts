/** Serves the debug pages and metrics over plain HTTP. */

import http from "node:http";
import type { AddressInfo } from "node:net";
import { isLocal } from "./local.ts";
import type { DebugSources } from "./page.ts";
import { PAGES } from "./pages.ts";

export interface DebugServer {
  readonly port: number;
  close(): Promise<void>;
}

/** Resolves once it listens; port 0 takes any free one. */
export async function startDebugServer(
  at: { address: string; port: number },
  sources: DebugSources,
): Promise<DebugServer> {
  const server = http.createServer({ requestTimeout: 10_000 }, (request, response) => {
    answer(request, response, sources);
  });
  server.maxConnections = 256;
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(at.port, at.address, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    close() {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

function answer(
  request: http.IncomingMessage,
  response: http.ServerResponse,
  sources: DebugSources,
): void {
  const url = URL.parse(request.url ?? "", "http://localhost");
  const page = url === null ? undefined : PAGES.get(url.pathname);
  if (url === null || page === undefined) {
    response.writeHead(404).end(`not found; there are:\n${[...PAGES.keys()].join("\n")}\n`);
    return;
  }
  if (request.method !== "GET" && request.method !== "HEAD") {
    response.writeHead(405, { allow: "GET, HEAD" }).end();
    return;
  }
  if (`${url.pathname}/`.startsWith("/debug/") && !isLocal(request.socket)) {
    response.writeHead(403).end("debug pages are served to this machine only\n");
    return;
  }
  const { status, contentType, body } = page.show(sources, url.searchParams);
  response.writeHead(status, { "content-type": contentType }).end(body);
}
