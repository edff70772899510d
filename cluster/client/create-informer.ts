/** List+watch with resumption: the engine behind every informer. */

import type { AnyObject } from "#cluster/api/meta.ts";
import type { Resource } from "#cluster/api/resources.ts";
import { StatusError } from "#cluster/api/status-error.ts";
import { Backoff } from "./backoff.ts";
import type { KubeClient } from "./client.ts";
import { delay } from "./clock.ts";
import type { Change, CreateInformer, Informer, InformerOptions, Lister } from "./informer.ts";
import { describeError, stderrLog } from "./log.ts";
import { ObjectStore, objectKey } from "./object-store.ts";
import type { Indexes } from "./object-store.ts";
import { parseRevision } from "./own-writes.ts";

const PAGE_SIZE = 500;
/** A watch that ends sooner than this without an event counts as a failure. */
const SHORT_WATCH_MS = 1_000;

/** How a watch came to its end. */
type WatchEnd = "resume" | "relist";

/**
 * An informer over any KubeClient. A broken watch resumes at the last revision seen, a revision
 * that the server has compacted leads to a new list, whose difference reaches the handlers.
 */
export const createInformer: CreateInformer = (client, resource, options) =>
  new ListWatchInformer(client, resource, options ?? {});

/** `createInformer`'s class, for those who need more than the contract offers. */
export class ListWatchInformer<T extends AnyObject> implements Informer<T> {
  readonly resource: Resource<T>;
  readonly lister: Lister<T>;
  readonly synced: Promise<void>;
  readonly #client: KubeClient;
  readonly #options: InformerOptions<T>;
  readonly #store: ObjectStore<T>;
  readonly #handlers: ((change: Change<T>) => void)[] = [];
  readonly #backoff = new Backoff({ baseMs: 20, maxMs: 1_000 });
  #markSynced: () => void = () => undefined;
  #resourceVersion: string | undefined;
  #revision = 0n;
  #running: Promise<void> | undefined;
  #lastProblem = "";

  constructor(client: KubeClient, resource: Resource<T>, options: InformerOptions<T>) {
    this.resource = resource;
    this.#client = client;
    this.#options = options;
    this.#store = new ObjectStore(options.indexes);
    this.lister = this.#store;
    this.synced = new Promise((resolve) => {
      this.#markSynced = resolve;
    });
  }

  /** The local copy has everything up to this revision. */
  get revision(): bigint {
    return this.#revision;
  }

  /** Adds indexes that aren't there yet. */
  addIndexes(indexes: Indexes<T>): void {
    this.#store.addIndexes(indexes);
  }

  onChange(handler: (change: Change<T>) => void): void {
    this.#handlers.push(handler);
  }

  /** A second call shares the first one's loop. */
  run(signal: AbortSignal): Promise<void> {
    this.#running ??= this.#loop(signal);
    return this.#running;
  }

  async #loop(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        if (this.#resourceVersion === undefined) await this.#relist(signal);
        const end = await this.#follow(signal);
        if (end === "relist") this.#resourceVersion = undefined;
      } catch (error) {
        if (signal.aborted) return;
        if (isExpired(error)) this.#resourceVersion = undefined;
        else this.#report(error);
        await delay(this.#backoff.nextMs(), signal);
      }
    }
  }

  async #relist(signal: AbortSignal): Promise<void> {
    const { namespace, labelSelector, fieldSelector } = this.#options;
    const objects: T[] = [];
    let next: string | undefined;
    let resourceVersion: string | undefined;
    do {
      const page = await this.#client.list(this.resource, {
        namespace,
        labelSelector,
        fieldSelector,
        limit: PAGE_SIZE,
        continue: next,
        signal,
      });
      for (const object of page.items) objects.push(object);
      next = page.metadata.continue === "" ? undefined : page.metadata.continue;
      resourceVersion = page.metadata.resourceVersion;
    } while (next !== undefined);
    // In one go: nobody gets to work on a mixture of two lists.
    const unseen = new Set(this.#store.keys());
    for (const object of objects) unseen.delete(objectKey(object.metadata));
    for (const key of unseen) this.#drop(key);
    for (const object of objects) this.#put(object);
    this.#advance(resourceVersion ?? "0");
    this.#lastProblem = "";
    this.#markSynced();
  }

  async #follow(signal: AbortSignal): Promise<WatchEnd> {
    const { namespace, labelSelector, fieldSelector } = this.#options;
    const startedMs = Date.now();
    let events = 0;
    const watch = this.#client.watch(this.resource, {
      namespace,
      labelSelector,
      fieldSelector,
      resourceVersion: this.#resourceVersion ?? "0",
      signal,
    });
    for await (const event of watch) {
      if (signal.aborted) break;
      if (event.type === "ERROR") {
        if (isExpired(event.object)) return "relist";
        throw new Error(`watch ended with ${JSON.stringify(event.object).slice(0, 500)}`);
      }
      events += 1;
      this.#backoff.reset();
      const { resourceVersion } = event.object.metadata;
      if (event.type === "DELETED") this.#drop(objectKey(event.object.metadata), event.object);
      else if (event.type !== "BOOKMARK") this.#put(event.object);
      this.#advance(resourceVersion);
    }
    if (events === 0 && Date.now() - startedMs < SHORT_WATCH_MS) {
      await delay(this.#backoff.nextMs(), signal);
    }
    return "resume";
  }

  #advance(resourceVersion: string | undefined): void {
    if (resourceVersion === undefined) return;
    this.#resourceVersion = resourceVersion;
    const revision = parseRevision(resourceVersion);
    if (revision > this.#revision) this.#revision = revision;
  }

  #put(received: T): void {
    const object = this.#options.transform?.(received) ?? received;
    const old = this.#store.getByKey(objectKey(object.metadata));
    if (old !== undefined && isSame(old, object)) return;
    // A new object under an old name: its dependents must see the old one go.
    if (old !== undefined && old.metadata.uid !== object.metadata.uid) {
      this.#drop(objectKey(object.metadata));
      this.#put(received);
      return;
    }
    this.#store.set(object);
    this.#notify(old === undefined ? { kind: "added", object } : { kind: "updated", object, old });
  }

  #drop(key: string, last?: T): void {
    const old = this.#store.remove(key);
    if (old === undefined) return;
    const object = last === undefined ? old : (this.#options.transform?.(last) ?? last);
    this.#notify({ kind: "deleted", object });
  }

  #notify(change: Change<T>): void {
    for (const handler of this.#handlers) {
      try {
        handler(change);
      } catch (error) {
        stderrLog(`informer ${this.resource.plural}: handler failed: ${describeError(error)}`);
      }
    }
  }

  /** The same problem, tried again every second, is worth one line. */
  #report(error: unknown): void {
    const problem = describeError(error);
    if (problem === this.#lastProblem) return;
    this.#lastProblem = problem;
    stderrLog(`informer ${this.resource.plural}: ${problem}; retrying`);
  }
}

function isSame(a: AnyObject, b: AnyObject): boolean {
  return (
    a.metadata.uid === b.metadata.uid &&
    a.metadata.resourceVersion !== undefined &&
    a.metadata.resourceVersion === b.metadata.resourceVersion
  );
}

/** Whether an error, or the Status in an ERROR event, says that a revision is compacted. */
function isExpired(problem: unknown): boolean {
  const status = problem instanceof StatusError ? problem.status : problem;
  if (typeof status !== "object" || status === null) return false;
  const { code, reason } = status as { code?: unknown; reason?: unknown };
  return code === 410 || reason === "Expired" || reason === "Gone";
}
