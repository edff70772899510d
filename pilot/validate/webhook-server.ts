/** The validating webhook as an HTTPS server for the API server's admission. */

import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { answerReview } from "./review.ts";
import type { PushContext } from "#pilot/model/push-context.ts";

export interface WebhookServerOptions {
  address: string;
  /** 0 takes any free one. */
  port: number;
  /** PEM. */
  tls: { cert: string; key: string };
  /** The world of now. */
  context: () => PushContext;
  log: (line: string) => void;
}

export interface WebhookServer {
  readonly port: number;
  close(): Promise<void>;
}

export const WEBHOOK_PATH = "/validate";
/** Largest review: an API server's own limit of an object is 1.5 MiB, doubled by oldObject. */
const MAX_BODY_BYTES = 3 * 1024 * 1024;
const REQUEST_TIMEOUT_MS = 10_000;

/** Resolves once it listens. */
export async function startWebhookServer(options: WebhookServerOptions): Promise<WebhookServer> {
  const server = createServer(
    { ...options.tls, minVersion: "TLSv1.2", requestTimeout: REQUEST_TIMEOUT_MS },
    (request, response) => {
      answer(request, response, options).catch((error: unknown) => {
        options.log(`webhook: ${error instanceof Error ? (error.stack ?? "") : String(error)}`);
        send(response, 500, "the webhook failed\n");
      });
    },
  );
  server.maxConnections = 256;
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port, options.address, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    close() {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  { context, log }: WebhookServerOptions,
): Promise<void> {
  const [path = "/"] = (request.url ?? "/").split("?", 1);
  if (request.method === "GET" && path === "/ready") return send(response, 200, "ready\n");
  if (request.method !== "POST" || path !== WEBHOOK_PATH) {
    return send(response, 404, `POST an AdmissionReview to ${WEBHOOK_PATH}\n`);
  }
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    // Read to its end, so that the client gets the answer, but not kept.
    if (length <= MAX_BODY_BYTES) chunks.push(chunk);
  }
  if (length > MAX_BODY_BYTES) return send(response, 413, "the review is too large\n");
  const result = answerReview(parseJson(Buffer.concat(chunks).toString("utf8")), {
    context: context(),
    log,
  });
  if (!result.ok) return send(response, 400, `${result.message}\n`);
  return send(response, 200, JSON.stringify(result.review), "application/json");
}

/** Undefined where the text is no JSON, which no review is. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function send(response: ServerResponse, code: number, body: string, type = "text/plain"): void {
  if (response.headersSent || response.destroyed) return;
  response.writeHead(code, { "content-type": type, "content-length": Buffer.byteLength(body) });
  response.end(body);
}
