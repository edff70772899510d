/** `up --demo`: Bookinfo behind the ingress, and the live line of its weighted split. */

import path from "node:path";
import { DEPLOYMENTS } from "#cluster/api/resources.ts";
import type { KubeClient } from "#cluster/client/client.ts";
import type { Reporter } from "#cli/reporter.ts";
import { formatDuration } from "#cli/reporter.ts";
import { waitFor } from "#cli/up/wait-for.ts";
import { applyManifests } from "./apply-manifests.ts";
import { formatSplit, runSplitMeter } from "./split-meter.ts";

const MANIFESTS = path.join(import.meta.dirname, "..", "..", "examples", "bookinfo", "manifests");

/** Applied in this order; each is an ordinary manifest that kubectl takes as well. */
const FILES = [
  "namespace.yaml",
  "bookinfo.yaml",
  "destination-rules.yaml",
  "gateway.yaml",
  "reviews-90-10.yaml",
].map((file) => path.join(MANIFESTS, file));

const DEMO_NAMESPACE = "default";
const FIRST_ANSWER_BOUND_MS = 120_000;

export interface DemoOptions {
  client: KubeClient;
  /** URL of the ingress on localhost. */
  ingress: string;
  reporter: Reporter;
  print: (line: string) => void;
  /** When the command began (`performance.now()`). */
  started: number;
  /** Whether to stay and show the live line; else return once the demo answers. */
  live: boolean;
  signal: AbortSignal;
}

export async function runDemo(options: DemoOptions): Promise<void> {
  const { client, ingress, reporter, print, signal } = options;
  await reporter.step("demo applied", () => applyManifests(client, FILES));
  const bound = AbortSignal.any([signal, AbortSignal.timeout(FIRST_ANSWER_BOUND_MS)]);
  const reviews = `${ingress}/api/v1/products/0/reviews`;
  await reporter.step("first 200 through ingress and sidecars", () =>
    waitFor(bound, `a 200 from ${reviews}`, async () => ((await isOk(reviews)) ? true : undefined)),
  );
  print(`first answer ${formatDuration(performance.now() - options.started)} after the command`);
  // The split is counted once every version can answer.
  await reporter.step("all of the demo available", () =>
    waitFor(bound, "the demo's Deployments to be available", () => allAvailable(client)),
  );
  print("");
  print(`  demo:   ${ingress}/productpage`);
  print(`  try:    kubectl apply -f ${path.join(MANIFESTS, "reviews-50-50.yaml")}`);
  print("");
  if (!options.live) return;
  print("Ctrl-C stops everything.");
  const terminal = process.stdout.isTTY;
  let last = "";
  await runSplitMeter({
    client,
    url: reviews,
    signal,
    onSnapshot: (snapshot) => {
      const line = formatSplit(snapshot);
      if (terminal) process.stdout.write(`\r\u001b[K${line}`);
      else if (line !== last && shouldPrint()) print(line);
      last = line;
    },
  });
  if (terminal) process.stdout.write("\n");
}

async function allAvailable(client: KubeClient): Promise<true | undefined> {
  const { items } = await client.list(DEPLOYMENTS, { namespace: DEMO_NAMESPACE });
  const available = items.every(
    ({ spec, status }) => (status?.availableReplicas ?? 0) >= (spec?.replicas ?? 1),
  );
  return available ? true : undefined;
}

const PRINT_INTERVAL_MS = 5_000;
let printedAt = 0;

/** Without a terminal the line is printed every few seconds instead of being redrawn. */
function shouldPrint(): boolean {
  if (Date.now() - printedAt < PRINT_INTERVAL_MS) return false;
  printedAt = Date.now();
  return true;
}

async function isOk(url: string): Promise<boolean> {
  const response = await fetch(url, { signal: AbortSignal.timeout(5000) });
  await response.arrayBuffer();
  return response.status === 200;
}
