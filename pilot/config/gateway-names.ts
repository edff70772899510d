/**
 * Gateways between networks whose load balancer has a name instead of an address: Envoy's endpoints
 * need addresses, so pilot looks the names up, as Istio does.
 */

import { resolve4 } from "node:dns/promises";
import type { Service } from "#cluster/api/generated/core-v1.ts";
import { NETWORK_LABEL } from "#pilot/registry/networks.ts";
import type { PlatformEvent } from "#pilot/registry/registry.ts";
import type { EventSink } from "./object-feed.ts";

export interface GatewayNamesOptions {
  readonly feed: EventSink;
  readonly log: (line: string) => void;
  readonly signal: AbortSignal;
  /** Addresses of a name; rejects where there are none. */
  readonly resolve?: (name: string) => Promise<string[]>;
  readonly everyMs?: number;
}

const EVERY_MS = 30_000;
const MAX_NAMES = 8;

interface Named {
  readonly event: PlatformEvent;
  readonly names: readonly string[];
  addresses: readonly string[];
}

/** Passes every event on, those of such Services with addresses in the place of names. */
export class GatewayNames implements EventSink {
  readonly #options: GatewayNamesOptions;
  readonly #named = new Map<string, Named>();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: GatewayNamesOptions) {
    this.#options = options;
    options.signal.addEventListener("abort", () => clearInterval(this.#timer));
  }

  handle(event: PlatformEvent): void {
    const { feed, everyMs = EVERY_MS, signal } = this.#options;
    if (event.object.kind !== "Service") return feed.handle(event);
    const key = keyOf(event);
    const before = this.#named.get(key);
    const names = event.type === "delete" ? [] : namesOf(event.object as unknown as Service);
    this.#named.delete(key);
    if (names.length === 0) return feed.handle(event);
    const named = { event, names, addresses: before?.addresses ?? [] };
    this.#named.set(key, named);
    feed.handle(withAddresses(named));
    if (signal.aborted) return;
    void this.#look(named);
    this.#timer ??= setInterval(() => {
      for (const one of this.#named.values()) void this.#look(one);
    }, everyMs).unref();
  }

  /** A name that can't be looked up leaves what was known. */
  async #look(named: Named): Promise<void> {
    const { feed, log, resolve = resolve4 } = this.#options;
    try {
      const found = await Promise.all(named.names.map((name) => resolve(name)));
      const addresses = [...new Set(found.flat())].toSorted();
      const current = this.#named.get(keyOf(named.event)) === named;
      if (!current || JSON.stringify(addresses) === JSON.stringify(named.addresses)) return;
      named.addresses = addresses;
      feed.handle(withAddresses(named));
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      log(`gateway ${keyOf(named.event)}: ${reason}`);
    }
  }
}

function namesOf(service: Service): string[] {
  if ((service.metadata.labels?.[NETWORK_LABEL] ?? "") === "") return [];
  const ingress = service.status?.loadBalancer?.ingress ?? [];
  return ingress
    .flatMap(({ ip, hostname }) => (ip === undefined && hostname !== undefined ? [hostname] : []))
    .slice(0, MAX_NAMES);
}

function withAddresses({ event, addresses }: Named): PlatformEvent {
  const service = event.object as unknown as Service;
  const given = (service.status?.loadBalancer?.ingress ?? []).filter(({ ip }) => ip !== undefined);
  const ingress = [...given, ...addresses.map((ip) => ({ ip }))];
  const status = { ...service.status, loadBalancer: { ingress } };
  return { ...event, object: { ...service, status } };
}

function keyOf({ object, cluster }: PlatformEvent): string {
  return `${cluster ?? ""}/${object.metadata.namespace ?? ""}/${object.metadata.name}`;
}
