/**
 * A resolver on the host's fabric address that asks the host's own: node namespaces have no way out
 * to those, which may even be on the host's loopback (systemd-resolved).
 */

import { readFile } from "node:fs/promises";
import { describeError, stderrLog } from "#cluster/client/log.ts";
import { parseServer } from "./exchange.ts";
import type { Server } from "./exchange.ts";
import { createResponder } from "./responder.ts";
import { serveDns } from "./serve.ts";
import type { Listen } from "./serve.ts";
import { createUpstream } from "./upstream.ts";

const RESOLV_CONF = "/etc/resolv.conf";

export interface DnsRelayOptions {
  listen: Listen;
  /** As `hostResolvers` gives them; none: every name fails at once. */
  resolvers: readonly string[];
  signal: AbortSignal;
  /** Called with the port once it answers. */
  onListening?: (port: number) => void;
}

/** Serves until the signal aborts; rejects when it can't listen or a resolver isn't an address. */
export async function runDnsRelay(options: DnsRelayOptions): Promise<void> {
  const { listen, resolvers, signal } = options;
  const upstream = createUpstream({ servers: requireServers(resolvers), signal });
  const { respond } = createResponder({ answerZone: () => undefined, upstream });
  const { port } = await serveDns(listen, respond, signal);
  options.onListening?.(port);
  if (!signal.aborted) {
    await new Promise<void>((resolve) => {
      signal.addEventListener("abort", () => resolve(), { once: true });
    });
  }
}

/** The name servers of the host's /etc/resolv.conf; none when there is no such file. */
export async function hostResolvers(): Promise<string[]> {
  try {
    return parseResolvConf(await readFile(RESOLV_CONF, "utf8"));
  } catch (error) {
    stderrLog(`dns: names outside of the cluster won't resolve: ${describeError(error)}`);
    return [];
  }
}

/** The addresses of the `nameserver` lines (resolv.conf(5)), without repetitions. */
export function parseResolvConf(text: string): string[] {
  const lines = text.split("\n").map((line) => line.trim().split(/\s+/));
  const found = lines.flatMap(([keyword, address]) =>
    keyword === "nameserver" && address !== undefined ? [address] : [],
  );
  return [...new Set(found)];
}

/** Throws on the first that is no `address` or `address:port`. */
export function requireServers(texts: readonly string[]): Server[] {
  return texts.map((text) => {
    const server = parseServer(text);
    if (server === undefined) throw new Error(`"${text}" is no resolver's address:port`);
    return server;
  });
}
