/** Reads that include our own writes before the watch brings them (client-go's MutationCache). */

import type { AnyObject } from "#cluster/api/meta.ts";
import { objectKey } from "./object-store.ts";

/** The informer, as far as it matters here. */
export interface Revisioned {
  /** The local copy has everything up to this revision. */
  readonly revision: bigint;
}

/**
 * Lays what we created, updated or deleted over what the informer lists, until the informer has
 * got that far. Without it a controller acts twice on what it has just done.
 */
export class OwnWrites<T extends AnyObject> {
  readonly #informer: Revisioned;
  readonly #written = new Map<string, T>();
  /** Uids deleted by us and not yet seen as such. */
  readonly #deleted = new Set<string>();

  constructor(informer: Revisioned) {
    this.#informer = informer;
  }

  /** Remembers an answer of create, update or patch. */
  note(object: T): void {
    if (revisionOf(object) > this.#informer.revision) {
      this.#written.set(objectKey(object.metadata), object);
    }
  }

  /** Remembers an accepted delete. */
  noteDeleted(object: T): void {
    if (object.metadata.uid !== undefined) this.#deleted.add(object.metadata.uid);
    this.#written.delete(objectKey(object.metadata));
  }

  /**
   * What the informer lists, corrected. `belongs` says which of the written objects the caller
   * would have found in the list.
   */
  over(listed: readonly T[], belongs: (object: T) => boolean): T[] {
    this.#prune();
    const result = new Map(listed.map((object) => [objectKey(object.metadata), object]));
    for (const [key, object] of this.#written) {
      const seen = result.get(key);
      const isNewer = seen === undefined || revisionOf(object) > revisionOf(seen);
      if (isNewer && belongs(object)) result.set(key, object);
    }
    return [...result.values()].filter(({ metadata }) => {
      if (!this.#deleted.has(metadata.uid ?? "")) return true;
      // Seen as being deleted: from here on the list tells.
      if (metadata.deletionTimestamp === undefined) return false;
      this.#deleted.delete(metadata.uid ?? "");
      return true;
    });
  }

  /** Call on the informer's deletions, so that nothing is remembered for good. */
  forget(object: T): void {
    this.#deleted.delete(object.metadata.uid ?? "");
  }

  #prune(): void {
    for (const [key, object] of this.#written) {
      if (revisionOf(object) <= this.#informer.revision) this.#written.delete(key);
    }
  }
}

function revisionOf(object: AnyObject): bigint {
  return parseRevision(object.metadata.resourceVersion);
}

/** A resourceVersion as a number to compare; 0 when it is none. */
export function parseRevision(resourceVersion: string | undefined): bigint {
  return resourceVersion !== undefined && /^[0-9]{1,20}$/.test(resourceVersion)
    ? BigInt(resourceVersion)
    : 0n;
}
