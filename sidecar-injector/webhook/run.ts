/** The injector as an HTTPS server for the API server's admission. */

import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { type Log, stderrLog } from "#cluster/client/log.ts";
import { DEFAULT_CONFIG, type InjectorConfig } from "#sidecar-injector/inject/config.ts";
import type { InjectionSettings } from "./injection-settings.ts";
import { answerReview, reviewTarget } from "./review.ts";

export interface WebhookOptions {
  /** Default: 127.0.0.1. */
  address?: string;
  /** 0 takes a free one. */
  port: number;
  /** PEM. */
  serving: { cert: string; key: string };
  signal: AbortSignal;
  /** Asked at each review; default: what is built in. */
  settings?: () => InjectionSettings;
  /** Called once connections are accepted. */
  onListening?: (port: number) => void;
  /** A line a decision. */
  log?: Log;
}

/** Largest review: an API server's own limit of an object is 1.5 MiB, doubled by oldObject. */
const MAX_BODY_BYTES = 3 * 1024 * 1024;
const REQUEST_TIMEOUT_MS = 10_000;
/** How long requests under way may take once the injector is told to stop. */
const LAST_REQUESTS_MS = 1_000;

/** Serves `POST /inject` and `GET /ready` until the signal aborts, then ends open requests. */
export async function runWebhook(options: WebhookOptions): Promise<void> {
  const { signal, log = stderrLog, settings = () => fixedSettings(DEFAULT_CONFIG) } = options;
  if (signal.aborted) return;
  const server = createServer(
    { ...options.serving, minVersion: "TLSv1.2", requestTimeout: REQUEST_TIMEOUT_MS },
    (request, response) => {
      answer(request, response, settings, log).catch((error: unknown) => {
        log(`injector: ${error instanceof Error ? error.message : String(error)}`);
        send(response, 500, "text/plain", "the injector failed\n");
      });
    },
  );
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.once("close", resolve);
    const stop = (): void => {
      server.close();
      server.closeIdleConnections();
      setTimeout(() => server.closeAllConnections(), LAST_REQUESTS_MS).unref();
    };
    signal.addEventListener("abort", stop, { once: true });
    server.listen(options.port, options.address ?? "127.0.0.1", () => {
      options.onListening?.((server.address() as AddressInfo).port);
    });
  });
}

/** Without a cluster to look into. */
export function fixedSettings(config: InjectorConfig): InjectionSettings {
  return { config, proxyConfigs: () => ({ general: [], workload: [] }) };
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  settings: () => InjectionSettings,
  log: Log,
): Promise<void> {
  const [path = "/"] = (request.url ?? "/").split("?", 1);
  if (request.method === "GET" && path === "/ready") return send(response, 200, "text/plain", "ok");
  const target = request.method === "POST" ? reviewTarget(path) : undefined;
  if (target === undefined) {
    return send(response, 404, "text/plain", "POST an AdmissionReview to /inject\n");
  }
  const body = await readBody(request);
  if (body === undefined) return send(response, 413, "text/plain", "the review is too large\n");
  const result = answerReview(parseJson(body), settings(), target);
  if (!result.ok) return send(response, 400, "text/plain", `${result.message}\n`);
  log(result.log);
  return send(response, 200, "application/json", JSON.stringify(result.review));
}

async function readBody(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    // Read to its end, so that the client gets the answer, but not kept.
    if (length <= MAX_BODY_BYTES) chunks.push(chunk);
  }
  if (length > MAX_BODY_BYTES) return undefined;
  return Buffer.concat(chunks).toString("utf8");
}

/** Undefined where the text is no JSON, which no review is. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function send(response: ServerResponse, code: number, type: string, body: string): void {
  if (response.headersSent || response.destroyed) return;
  response.writeHead(code, { "content-type": type, "content-length": Buffer.byteLength(body) });
  response.end(body);
}
