/** Messages between `sqlite-store.ts` and its worker; one request is under way at a time. */

import type { JournalEntry } from "./journal.ts";
import type { StoredValue } from "./store.ts";

export type ToWorker = { kind: "append"; entries: readonly JournalEntry[] } | { kind: "close" };

/** `values` and `loaded` come once after the start; `done` or `failed` answers each request. */
export type FromWorker =
  | { kind: "values"; values: StoredValue[] }
  | { kind: "loaded"; revision: number }
  | { kind: "done" }
  /** `code` is SQLite's extended result code, 0 when there is none. */
  | { kind: "failed"; message: string; code: number };
