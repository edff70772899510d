/** What a driver adds to the common store: making writes durable. */

import type { StoredValue } from "./store.ts";

/** One write to make durable; without a value it is a deletion. */
export interface JournalEntry {
  revision: number;
  key: string;
  value?: string;
}

/** What a journal holds when it is opened. */
export interface JournalState {
  values: readonly StoredValue[];
  /** The greatest revision ever written, deletions included. */
  revision: number;
}

export interface Journal {
  /**
   * Writes all entries or none, and resolves when they are durable. It is called again only after
   * the last call has settled. Rejects with a StoreError.
   */
  append(entries: readonly JournalEntry[]): Promise<void>;
  close(): Promise<void>;
}
