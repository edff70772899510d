/** Serves the webhook, and makes the API server ask it. */

import { readFile } from "node:fs/promises";
import { webhookManifest } from "./manifest.ts";
import type { WebhookManifestOptions } from "./manifest.ts";
import { startWebhookServer } from "./webhook-server.ts";
import type { PkiFiles } from "#cluster/api/process-config.ts";
import { VALIDATING_WEBHOOKS } from "#cluster/api/resources.ts";
import { applyObject } from "#cluster/client/apply-object.ts";
import type { KubeClient } from "#cluster/client/client.ts";
import type { PushContext } from "#pilot/model/push-context.ts";

export interface ValidationOptions {
  address: string;
  /** 0 takes any free one. */
  port: number;
  /** How the API server reaches it; default: the address itself. */
  at?: WebhookManifestOptions["at"];
  /** Certificate for the address, by an authority that the API server is told to trust. */
  serving: PkiFiles;
  client: KubeClient;
  context: () => PushContext;
  log: (line: string) => void;
  signal: AbortSignal;
}

const ATTEMPTS = 10;
const RETRY_MS = 1000;

/** Resolves once it listens and the API server has been told; goes on until the signal aborts. */
export async function runValidation(options: ValidationOptions): Promise<void> {
  const { address, serving, context, log, signal } = options;
  const [cert, key, caPem] = await Promise.all(
    [serving.certFile, serving.keyFile, serving.caFile].map((file) => readFile(file, "utf8")),
  );
  const tls = { cert: cert ?? "", key: key ?? "" };
  const server = await startWebhookServer({ address, port: options.port, tls, context, log });
  signal.addEventListener("abort", () => void server.close(), { once: true });
  const host = address.includes(":") ? `[${address}]` : address;
  const url = `https://${host}:${server.port}`;
  const at = options.at ?? { url };
  const manifest = webhookManifest({ at, ...(caPem === undefined ? {} : { caPem }) });
  for (let attempt = 1; !signal.aborted; attempt++) {
    try {
      await applyObject(options.client, VALIDATING_WEBHOOKS, manifest);
      return;
    } catch (error) {
      log(`webhook: can't be registered: ${error instanceof Error ? error.message : ""}`);
      if (attempt === ATTEMPTS) return;
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS).unref());
    }
  }
}
