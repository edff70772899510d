/**
 * The revisioned store under the API server: etcd's model in few verbs. Every write gets the next
 * revision of the whole store; an object's `resourceVersion` is the revision of its last write.
 * Values are JSON text that the store never looks into.
 */

/** One key at one revision; immutable, and the same reference until the key is written again. */
export interface StoredValue {
  readonly key: string;
  readonly value: string;
  /** Revision of the write that made this value. */
  readonly revision: number;
}

/** One committed write. Both `current` and `previous` are there for an update. */
export interface StoreEvent {
  readonly revision: number;
  readonly key: string;
  /** Absent when the key was deleted. */
  readonly current?: StoredValue;
  /** Absent when the key was created. */
  readonly previous?: StoredValue;
}

/**
 * What a conditional write comes to. `exists`: create found the key. `missing`: there is no such
 * key. `conflict`: the key is at another revision, namely `current`.
 */
export type WriteResult =
  | { ok: true; stored: StoredValue }
  | { ok: false; reason: "exists"; current: StoredValue }
  | { ok: false; reason: "missing" }
  | { ok: false; reason: "conflict"; current: StoredValue };

/** As WriteResult; `revision` is the deletion's own, `previous` what was deleted. */
export type DeleteResult =
  | { ok: true; revision: number; previous: StoredValue }
  | { ok: false; reason: "missing" }
  | { ok: false; reason: "conflict"; current: StoredValue };

export interface ListOptions {
  /** Read as of this revision; without it, the present. */
  revision?: number;
  /** At most so many values. */
  limit?: number;
  /** Only keys after this one. */
  after?: string;
}

/** `compacted`: the revision is older than the history kept; list again and go on from there. */
export type ListResult =
  | {
      ok: true;
      values: readonly StoredValue[];
      /** The revision that the list shows. */
      revision: number;
      /** How many values follow the last one. */
      remaining: number;
    }
  | { ok: false; reason: "compacted"; oldest: number };

export type WatchResult =
  { ok: true; stop: () => void } | { ok: false; reason: "compacted"; oldest: number };

/**
 * A write's promise resolves only when the write is durable and visible to every later read. It
 * rejects (StoreError) when the medium fails: then nothing was written.
 *
 * Example: an optimistic update.
 *
 *     const old = store.get(key);
 *     const result = await store.updateIf(key, old.revision, change(old.value));
 *     if (!result.ok && result.reason === "conflict") … // someone else wrote; result.current
 */
export interface Store {
  /** The revision of the last committed write. */
  readonly revision: number;
  create(key: string, value: string): Promise<WriteResult>;
  get(key: string): StoredValue | undefined;
  /** Values whose key starts with the prefix, in key order. */
  list(prefix: string, options?: ListOptions): ListResult;
  /** Replaces the value if the key is at `revision`; `undefined` means at any revision. */
  updateIf(key: string, revision: number | undefined, value: string): Promise<WriteResult>;
  deleteIf(key: string, revision: number | undefined): Promise<DeleteResult>;
  /**
   * Calls `sink` for every committed write under the prefix with a revision greater than `from`,
   * in order: those of the past before this returns, each later one as it is committed. The sink
   * must not throw and must be quick: all watchers share its thread.
   */
  watch(prefix: string, from: number, sink: (event: StoreEvent) => void): WatchResult;
  /** Forgets history up to and including this revision; the present is kept. */
  compact(revision: number): void;
  /** Waits for the writes under way; later ones are rejected. */
  close(): Promise<void>;
}

/** The medium failed: full disk, corrupt or locked file. The message says what to do. */
export class StoreError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "StoreError";
  }
}
