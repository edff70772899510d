/** Counts which version of reviews answers, and what the VirtualService wants. */

import { Agent, get } from "node:http";
import type { KubeObject } from "#cluster/api/meta.ts";
import type { Resource } from "#cluster/api/resources.ts";
import { hasReason } from "#cluster/api/status-error.ts";
import type { KubeClient } from "#cluster/client/client.ts";

const VIRTUAL_SERVICES: Resource = {
  group: "networking.istio.io",
  version: "v1",
  plural: "virtualservices",
  kind: "VirtualService",
  namespaced: true,
};

/** Versions by name with their share in percent. */
export type Shares = Record<string, number>;

export interface SplitSnapshot {
  /** Answers by version since the wanted shares last changed. */
  counts: Record<string, number>;
  failed: number;
  wanted: Shares;
}

/** The live line, for example `reviews: v1 90.2 %  v2 9.8 %  of 1,240 requests, wanted 90/10`. */
export function formatSplit({ counts, failed, wanted }: SplitSnapshot): string {
  const total = Object.values(counts).reduce((sum, count) => sum + count, 0);
  const versions = [...new Set([...Object.keys(wanted), ...Object.keys(counts)])].toSorted();
  const shares = versions.map((version) => {
    const share = total === 0 ? 0 : ((counts[version] ?? 0) * 100) / total;
    return `${version} ${share.toFixed(1)} %`;
  });
  const weights = Object.keys(wanted)
    .toSorted()
    .map((version) => String(wanted[version]));
  const goal = weights.length === 0 ? "no weights set" : `wanted ${weights.join("/")}`;
  const failures = failed === 0 ? "" : `  ${failed} failed`;
  return `reviews: ${shares.join("  ")}  of ${total.toLocaleString("en-US")} requests, ${goal}${failures}`;
}

/** The weights of the last rule of `virtualservice/reviews`, by subset. */
export function wantedShares(virtualService: KubeObject | undefined): Shares {
  const spec = virtualService?.spec as
    { http?: { route?: { weight?: number; destination?: { subset?: string } }[] }[] } | undefined;
  const shares: Shares = {};
  for (const { weight, destination } of spec?.http?.at(-1)?.route ?? []) {
    if (destination?.subset !== undefined) shares[destination.subset] = weight ?? 100;
  }
  return shares;
}

const REQUEST_INTERVAL_MS = 20;
const WEIGHTS_INTERVAL_MS = 500;
const REQUEST_TIMEOUT_MS = 5_000;

export interface SplitMeterOptions {
  client: KubeClient;
  /** Answers with the reviews as JSON, `podname` and all. */
  url: string;
  signal: AbortSignal;
  onSnapshot: (snapshot: SplitSnapshot) => void;
}

/** Asks for reviews about 50 times a second and reports after each look at the weights. */
export async function runSplitMeter(options: SplitMeterOptions): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 8 });
  let snapshot: SplitSnapshot = { counts: {}, failed: 0, wanted: {} };
  const count = async (): Promise<void> => {
    const into = snapshot;
    try {
      const version = await askVersion(options.url, agent);
      into.counts[version] = (into.counts[version] ?? 0) + 1;
    } catch {
      into.failed += 1;
    }
  };
  const requests = setInterval(() => {
    void count();
  }, REQUEST_INTERVAL_MS);
  try {
    while (!options.signal.aborted) {
      const wanted = await readWanted(options.client, snapshot.wanted);
      if (JSON.stringify(wanted) !== JSON.stringify(snapshot.wanted)) {
        snapshot = { counts: {}, failed: 0, wanted };
      }
      options.onSnapshot(snapshot);
      await new Promise((resolve) => setTimeout(resolve, WEIGHTS_INTERVAL_MS));
    }
  } finally {
    clearInterval(requests);
    agent.destroy();
  }
}

/** The last known weights are kept while the API server restarts. */
async function readWanted(client: KubeClient, last: Shares): Promise<Shares> {
  const ref = { namespace: "default", name: "reviews" };
  try {
    return wantedShares(await client.get(VIRTUAL_SERVICES, ref));
  } catch (error) {
    return hasReason(error, "NotFound") ? {} : last;
  }
}

async function askVersion(url: string, agent: Agent): Promise<string> {
  const body = await new Promise<string>((resolve, reject) => {
    const request = get(url, { agent, timeout: REQUEST_TIMEOUT_MS }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => (text += chunk));
      response.on("error", reject);
      response.on("end", () => {
        if (response.statusCode === 200) resolve(text);
        else reject(new Error(`${url} answered ${response.statusCode}`));
      });
    });
    request.on("timeout", () => request.destroy(new Error(`${url} timed out`)));
    request.on("error", reject);
  });
  const version = /"podname"\s*:\s*"reviews-(v\d+)/.exec(body)?.[1];
  if (version === undefined) throw new Error(`${url} names no reviews pod`);
  return version;
}
