/** Writes statuses to the API server, few at a time. */

import type { AnyObject } from "#cluster/api/meta.ts";
import type { Resource } from "#cluster/api/resources.ts";
import { hasReason } from "#cluster/api/status-error.ts";
import type { KubeClient } from "#cluster/client/client.ts";
import type { ObservedObject } from "./status-board.ts";

export interface StatusWriterOptions {
  client: KubeClient;
  /** Kinds that have a status. */
  resources: readonly Resource<AnyObject>[];
  log: (line: string) => void;
  /** Between two writes, once those that may go at once have gone. */
  intervalMs?: number;
  retryMs?: number;
}

/** Ten a second; a few at once where nothing was written for a while. */
const INTERVAL_MS = 100;
const BURST = 5;

/** A status that can't be written is tried so often; the next change of the object tries again. */
const ATTEMPTS = 5;
const RETRY_MS = 1000;

interface Waiting {
  object: ObservedObject;
  status: object;
  attempt: number;
}

/** The newest status of an object goes out; one that waits is replaced by the next. */
export class StatusWriter {
  readonly #options: StatusWriterOptions;
  readonly #byKind: ReadonlyMap<string, Resource<AnyObject>>;
  readonly #waiting = new Map<string, Waiting>();
  #running = false;
  #leads = false;

  constructor(options: StatusWriterOptions) {
    this.#options = options;
    this.#byKind = new Map(options.resources.map((resource) => [resource.kind, resource]));
  }

  /** Only one replica writes; the others drop what they would have written. */
  setLeader(leads: boolean): void {
    this.#leads = leads;
    if (!leads) this.#waiting.clear();
  }

  write(object: ObservedObject, status: object): void {
    if (!this.#leads) return;
    this.#waiting.set(object.key, { object, status, attempt: 1 });
    if (!this.#running) void this.#run();
  }

  async #run(): Promise<void> {
    this.#running = true;
    const { intervalMs = INTERVAL_MS } = this.#options;
    for (let written = 0; this.#waiting.size > 0; written++) {
      if (written >= BURST) await new Promise((resolve) => setTimeout(resolve, intervalMs));
      const [next] = this.#waiting;
      if (next === undefined) break;
      this.#waiting.delete(next[0]);
      await this.#put(next[1]);
    }
    this.#running = false;
  }

  async #put(waiting: Waiting): Promise<void> {
    const { object, status, attempt } = waiting;
    const { key, apiVersion } = object;
    const [kind = "", namespace = "", name = ""] = key.split("/");
    const known = this.#byKind.get(kind);
    if (known === undefined) return;
    const resource = { ...known, version: apiVersion.split("/")[1] ?? known.version };
    try {
      const patch = { type: "merge" as const, body: { status }, subresource: "status" };
      await this.#options.client.patch(resource, { namespace, name }, patch);
    } catch (error) {
      // Gone meanwhile, or an object of a folder.
      if (hasReason(error, "NotFound")) return;
      this.#options.log(`no status for ${key}: ${error instanceof Error ? error.message : ""}`);
      if (attempt === ATTEMPTS) return;
      await new Promise((resolve) => setTimeout(resolve, this.#options.retryMs ?? RETRY_MS));
      if (!this.#leads || this.#waiting.has(key)) return;
      this.#waiting.set(key, { ...waiting, attempt: attempt + 1 });
    }
  }
}
