/**
 * The store that every embedded driver shares: decisions in memory, durability by a journal.
 * Group commit: while one batch is on its way to the disk, later writes gather for the next.
 */

import type { Journal, JournalEntry, JournalState } from "./journal.ts";
import { DEFAULT_HISTORY, RevisionCache, type HistoryBounds } from "./revision-cache.ts";
import {
  StoreError,
  type DeleteResult,
  type ListOptions,
  type ListResult,
  type Store,
  type StoredValue,
  type StoreEvent,
  type WatchResult,
  type WriteResult,
} from "./store.ts";

/** Writes that may wait for the disk at once; beyond it a write is refused. */
const MAX_PENDING = 50_000;
/** Entries of one transaction: bounds how long the first writer of a batch waits for the others. */
const MAX_BATCH = 512;

interface PendingWrite {
  event: StoreEvent;
  settle: (error?: Error) => void;
}

export class JournaledStore implements Store {
  readonly #cache: RevisionCache;
  readonly #journal: Journal;
  #queue: PendingWrite[] = [];
  /** Keys with a write under way: the next write of such a key waits for its outcome. */
  readonly #busy = new Map<string, Promise<void>>();
  #nextRevision: number;
  #flushing: Promise<void> | undefined;
  #closed = false;

  constructor(journal: Journal, state: JournalState, bounds: HistoryBounds = DEFAULT_HISTORY) {
    this.#journal = journal;
    this.#cache = new RevisionCache(state.values, state.revision, bounds);
    this.#nextRevision = state.revision + 1;
  }

  get revision(): number {
    return this.#cache.revision;
  }

  get(key: string): StoredValue | undefined {
    return this.#cache.get(key);
  }

  list(prefix: string, options?: ListOptions): ListResult {
    return this.#cache.list(prefix, options);
  }

  watch(prefix: string, from: number, sink: (event: StoreEvent) => void): WatchResult {
    return this.#cache.watch(prefix, from, sink);
  }

  compact(revision: number): void {
    this.#cache.compact(revision);
  }

  create(key: string, value: string): Promise<WriteResult> {
    return this.#write<WriteResult>(key, (current) => {
      if (current !== undefined) return { ok: false, reason: "exists", current };
      return this.#put(key, value, undefined);
    });
  }

  updateIf(key: string, revision: number | undefined, value: string): Promise<WriteResult> {
    return this.#write<WriteResult>(key, (current) => {
      if (current === undefined) return { ok: false, reason: "missing" };
      if (revision !== undefined && current.revision !== revision) {
        return { ok: false, reason: "conflict", current };
      }
      return this.#put(key, value, current);
    });
  }

  deleteIf(key: string, revision: number | undefined): Promise<DeleteResult> {
    return this.#write<DeleteResult>(key, (previous) => {
      if (previous === undefined) return { ok: false, reason: "missing" };
      if (revision !== undefined && previous.revision !== revision) {
        return { ok: false, reason: "conflict", current: previous };
      }
      const event: StoreEvent = { key, revision: this.#nextRevision++, previous };
      return this.#commit(event).then(() => ({ ok: true, revision: event.revision, previous }));
    });
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#flushing;
    this.#cache.dropWatchers();
    await this.#journal.close();
  }

  /**
   * Decisions look at committed state only, so a key has one write under way at a time. Nothing may
   * be awaited between the end of the wait and the decision: the next writer would slip in.
   */
  async #write<R>(
    key: string,
    decide: (current: StoredValue | undefined) => R | Promise<R>,
  ): Promise<R> {
    for (let busy = this.#busy.get(key); busy !== undefined; busy = this.#busy.get(key)) {
      await busy;
    }
    if (this.#closed) throw new StoreError(`store is closed: ${key} was not written`);
    if (this.#queue.length >= MAX_PENDING) {
      throw new StoreError(`${MAX_PENDING} writes already wait for the disk: try ${key} again`);
    }
    return decide(this.#cache.get(key));
  }

  #put(key: string, value: string, previous: StoredValue | undefined): Promise<WriteResult> {
    const stored: StoredValue = { key, value, revision: this.#nextRevision++ };
    const event: StoreEvent = { key, revision: stored.revision, current: stored, previous };
    return this.#commit(event).then(() => ({ ok: true, stored }));
  }

  /** Must be called in the same turn as the decision it carries out. */
  #commit(event: StoreEvent): Promise<void> {
    const written = new Promise<void>((resolve, reject) => {
      const settle = (error?: Error): void => {
        this.#busy.delete(event.key);
        if (error === undefined) resolve();
        else reject(error);
      };
      this.#queue.push({ event, settle });
    });
    this.#busy.set(
      event.key,
      written.catch(() => undefined),
    );
    this.#flushing ??= this.#flush();
    return written;
  }

  async #flush(): Promise<void> {
    // Let the writes of this turn of the event loop gather into the first batch.
    await Promise.resolve();
    while (this.#queue.length > 0) {
      const batch = this.#queue.slice(0, MAX_BATCH);
      this.#queue = this.#queue.slice(batch.length);
      try {
        await this.#journal.append(batch.map(({ event }) => entryOf(event)));
      } catch (error) {
        const cause = error instanceof Error ? error : new StoreError(String(error));
        for (const { settle } of batch) settle(cause);
        continue;
      }
      for (const { event, settle } of batch) {
        this.#cache.apply(event);
        settle();
      }
    }
    this.#flushing = undefined;
  }
}

function entryOf(event: StoreEvent): JournalEntry {
  return { revision: event.revision, key: event.key, value: event.current?.value };
}
