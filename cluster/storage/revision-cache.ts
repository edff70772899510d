/** The store's state in memory: present values in key order, a window of history, watchers. */

import type { ListOptions, ListResult, StoredValue, StoreEvent, WatchResult } from "./store.ts";

/** How much history watchers and paged lists may go back. */
export interface HistoryBounds {
  maxEvents: number;
  /** Sum of the lengths of the values that only history holds. */
  maxCharacters: number;
}

export const DEFAULT_HISTORY: HistoryBounds = {
  maxEvents: 20_000,
  maxCharacters: 64 * 1024 * 1024,
};

interface Watcher {
  readonly prefix: string;
  readonly sink: (event: StoreEvent) => void;
}

/** Committed state only: what is in here has been made durable. */
export class RevisionCache {
  readonly #values = new Map<string, StoredValue>();
  /** Keys of `#values`, sorted by code unit. */
  #keys: string[] = [];
  /** Ascending by revision; `#historyStart` entries at the front are forgotten. */
  #history: StoreEvent[] = [];
  #historyStart = 0;
  #historyCharacters = 0;
  #revision: number;
  /** The oldest revision whose state can still be told. */
  #oldest: number;
  readonly #bounds: HistoryBounds;
  readonly #watchers = new Set<Watcher>();

  constructor(values: readonly StoredValue[], revision: number, bounds = DEFAULT_HISTORY) {
    for (const stored of values) this.#values.set(stored.key, stored);
    this.#keys = [...this.#values.keys()].toSorted(compareKeys);
    this.#revision = revision;
    this.#oldest = revision;
    this.#bounds = bounds;
  }

  get revision(): number {
    return this.#revision;
  }

  get(key: string): StoredValue | undefined {
    return this.#values.get(key);
  }

  /** Makes a committed write visible and tells the watchers. Revisions only grow. */
  apply(event: StoreEvent): void {
    if (event.revision <= this.#revision) {
      throw new Error(`revision ${event.revision} after ${this.#revision}: ${event.key}`);
    }
    this.#revision = event.revision;
    if (event.current === undefined) {
      this.#values.delete(event.key);
      this.#keys.splice(this.#position(event.key), 1);
    } else {
      if (!this.#values.has(event.key)) this.#keys.splice(this.#position(event.key), 0, event.key);
      this.#values.set(event.key, event.current);
    }
    this.#history.push(event);
    this.#historyCharacters += sizeOf(event);
    this.#trim();
    for (const watcher of this.#watchers) {
      if (event.key.startsWith(watcher.prefix)) watcher.sink(event);
    }
  }

  list(prefix: string, options: ListOptions = {}): ListResult {
    const revision = options.revision ?? this.#revision;
    if (revision < this.#oldest) return { ok: false, reason: "compacted", oldest: this.#oldest };
    const shown = Math.min(revision, this.#revision);
    return this.#page(this.#asOf(prefix, shown), shown, options);
  }

  watch(prefix: string, from: number, sink: (event: StoreEvent) => void): WatchResult {
    if (from < this.#oldest) return { ok: false, reason: "compacted", oldest: this.#oldest };
    for (let i = this.#firstAfter(from); i < this.#history.length; i++) {
      const event = this.#history[i];
      if (event?.key.startsWith(prefix)) sink(event);
    }
    const watcher: Watcher = { prefix, sink };
    this.#watchers.add(watcher);
    return { ok: true, stop: () => this.#watchers.delete(watcher) };
  }

  compact(revision: number): void {
    const end = this.#firstAfter(Math.min(revision, this.#revision));
    while (this.#historyStart < end) this.#forgetOldest();
    this.#oldest = Math.max(this.#oldest, Math.min(revision, this.#revision));
    this.#releaseForgotten();
  }

  /** Drops all watchers; their sinks hear nothing more. */
  dropWatchers(): void {
    this.#watchers.clear();
  }

  /** Values of the prefix in key order as they were at a revision inside the window. */
  #asOf(prefix: string, revision: number): StoredValue[] {
    const start = this.#position(prefix);
    const values: StoredValue[] = [];
    for (let i = start; i < this.#keys.length; i++) {
      const key = this.#keys[i] ?? "";
      if (!key.startsWith(prefix)) break;
      const stored = this.#values.get(key);
      if (stored !== undefined) values.push(stored);
    }
    if (revision === this.#revision) return values;
    // Undo what came later, newest first, so that the oldest `previous` wins.
    const undone = new Map(values.map((stored) => [stored.key, stored]));
    let changed = false;
    const first = this.#firstAfter(revision);
    for (let i = this.#history.length - 1; i >= first; i--) {
      const event = this.#history[i];
      if (event === undefined || !event.key.startsWith(prefix)) continue;
      changed = true;
      if (event.previous === undefined) undone.delete(event.key);
      else undone.set(event.key, event.previous);
    }
    if (!changed) return values;
    return [...undone.values()].toSorted((a, b) => compareKeys(a.key, b.key));
  }

  #page(values: StoredValue[], revision: number, options: ListOptions): ListResult {
    const { after, limit } = options;
    const start = after === undefined ? 0 : firstIndex(values, (value) => value.key > after);
    const end = limit === undefined || limit <= 0 ? values.length : start + limit;
    const page = start === 0 && end >= values.length ? values : values.slice(start, end);
    return { ok: true, values: page, revision, remaining: Math.max(0, values.length - end) };
  }

  /** Where a key is, or would be. */
  #position(key: string): number {
    return firstIndex(this.#keys, (other) => other >= key);
  }

  /** Index into `#history` of the first event with a greater revision. */
  #firstAfter(revision: number): number {
    return Math.max(
      this.#historyStart,
      firstIndex(this.#history, (event) => event.revision > revision),
    );
  }

  #trim(): void {
    while (
      this.#history.length - this.#historyStart > this.#bounds.maxEvents ||
      (this.#historyCharacters > this.#bounds.maxCharacters &&
        this.#history.length - this.#historyStart > 1)
    ) {
      this.#forgetOldest();
    }
    this.#releaseForgotten();
  }

  #forgetOldest(): void {
    const event = this.#history[this.#historyStart];
    if (event === undefined) return;
    this.#oldest = event.revision;
    this.#historyCharacters -= sizeOf(event);
    this.#historyStart += 1;
  }

  /** Forgotten events are cut off in large pieces: a shift an event would be quadratic. */
  #releaseForgotten(): void {
    if (this.#historyStart < 1024 && this.#historyStart < this.#history.length / 2) return;
    this.#history = this.#history.slice(this.#historyStart);
    this.#historyStart = 0;
  }
}

function sizeOf(event: StoreEvent): number {
  return event.previous?.value.length ?? 0;
}

function compareKeys(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Binary search: the first index for which a monotone condition holds, else the length. */
function firstIndex<T>(items: readonly T[], holds: (item: T) => boolean): number {
  let low = 0;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const item = items[middle];
    if (item !== undefined && holds(item)) high = middle;
    else low = middle + 1;
  }
  return low;
}
