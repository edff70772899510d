/** The driver for tests and throw-away clusters: nothing outlives the process. */

import { JournaledStore } from "./journaled-store.ts";
import type { HistoryBounds } from "./revision-cache.ts";
import type { Store } from "./store.ts";

/** An empty store at revision 1, as etcd starts. */
export function createMemoryStore(bounds?: HistoryBounds): Store {
  const journal = { append: () => Promise.resolve(), close: () => Promise.resolve() };
  return new JournaledStore(journal, { values: [], revision: 1 }, bounds);
}
