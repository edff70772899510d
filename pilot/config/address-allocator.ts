import { hostname as machineName } from "node:os";
import type { KubeObject } from "#cluster/api/meta.ts";
import type { Resource } from "#cluster/api/resources.ts";
import { hasReason } from "#cluster/api/status-error.ts";
import type { KubeClient } from "#cluster/client/client.ts";
import { runAsLeader } from "#cluster/client/leader-lease.ts";
import { convertConfigObject, isConfigObject } from "#pilot/registry/config-object.ts";
import type { PlatformEvent } from "#pilot/registry/registry.ts";
import { allocatedAddressesOf } from "#pilot/registry/service-entry.ts";
import { AddressBook, type AddressList } from "./address-book.ts";
import type { EventSink } from "./object-feed.ts";

export interface AddressAllocatorOptions {
  readonly client: KubeClient;
  /** Where the replicas' Lease is. */
  readonly namespace: string;
  readonly log: (line: string) => void;
  readonly signal: AbortSignal;
}

const LEASE = "lateen-pilot-addresses";
/** A write that failed is tried again after this. */
const RETRY_MS = 2_000;

/**
 * Writes the addresses that hosts of ServiceEntries get into their statuses. Every replica follows
 * what there is, the leader writes; what it has written comes back as an event.
 */
export class AddressAllocator implements EventSink {
  readonly #options: AddressAllocatorOptions;
  readonly #book = new AddressBook();
  /** By key: as what to write it. */
  readonly #objects = new Map<string, KubeObject>();
  readonly #dirty = new Set<string>();
  #leading = false;
  #working = false;

  constructor(options: AddressAllocatorOptions) {
    this.#options = options;
  }

  handle({ type, object }: PlatformEvent): void {
    if (object.kind !== "ServiceEntry" || !isConfigObject(object)) return;
    const key = `${object.metadata.namespace ?? "default"}/${object.metadata.name}`;
    const converted = type === "delete" ? undefined : convertConfigObject(object);
    const entry = converted?.ok === true ? converted.object : undefined;
    if (entry?.kind !== "ServiceEntry") {
      this.#objects.delete(key);
      this.#mark(this.#book.note(key, undefined));
      return;
    }
    this.#objects.set(key, object);
    const { creationTimestamp, labels, spec } = entry;
    const allocated = allocatedAddressesOf(object["status"]);
    const claim = { key, creationTimestamp, labels, spec, allocated };
    this.#mark([key, ...this.#book.note(key, claim)]);
  }

  /** Stands for election until the signal aborts; call it when everything that exists is known. */
  async run(): Promise<void> {
    const { client, namespace, signal, log } = this.#options;
    const machine = machineName()
      .toLowerCase()
      .replaceAll(/[^a-z0-9-]/g, "-");
    await runAsLeader({
      client,
      namespace,
      name: LEASE,
      identity: `${machine}-${process.pid}`,
      log,
      signal,
      lead: async (term) => {
        this.#leading = true;
        this.#mark(this.#book.keys());
        await aborted(term);
        this.#leading = false;
      },
    });
  }

  #mark(keys: Iterable<string>): void {
    for (const key of keys) this.#dirty.add(key);
    if (!this.#leading) this.#dirty.clear();
    else if (this.#dirty.size > 0 && !this.#working) void this.#work();
  }

  async #work(): Promise<void> {
    this.#working = true;
    for (const key of this.#dirty) {
      if (!this.#leading) break;
      this.#dirty.delete(key);
      try {
        await this.#write(key);
      } catch (error) {
        this.#options.log(`ServiceEntry ${key}: ${describe(error)}`);
        setTimeout(() => this.#mark([key]), RETRY_MS).unref();
      }
    }
    this.#working = false;
  }

  /** A stale object is no failure: its newer state is on its way here. */
  async #write(key: string): Promise<void> {
    const object = this.#objects.get(key);
    const addresses = this.#book.wanted(key);
    if (object === undefined || addresses === undefined) return;
    const [group = "", version = ""] = (object.apiVersion ?? "").split("/");
    const resource: Resource = {
      group,
      version,
      plural: "serviceentries",
      kind: "ServiceEntry",
      namespaced: true,
    };
    const { namespace = "default", name, resourceVersion } = object.metadata;
    const body = { metadata: { resourceVersion }, status: { addresses } };
    const patch = { type: "merge" as const, body, subresource: "status" };
    try {
      const written = await this.#options.client.patch(resource, { namespace, name }, patch);
      // The next entry must not get the same before the event of this write is here.
      this.#keep(key, written, addresses);
    } catch (error) {
      if (!hasReason(error, "Conflict") && !hasReason(error, "NotFound")) throw error;
    }
  }

  #keep(key: string, written: KubeObject, addresses: AddressList): void {
    if (this.#objects.get(key) === undefined) return;
    this.handle({ type: "upsert", object: { ...written, status: { addresses } } });
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
