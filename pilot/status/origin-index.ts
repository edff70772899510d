/** Which objects the resources of a class of proxies come from, kept by what changes in its tables. */

import type { ResourceOrigin } from "#pilot/cache/resource.ts";
import type { ResourceTable } from "#pilot/cache/table.ts";
import { cached } from "#pilot/model/cached.ts";

/** One class of proxies, as far as provenance goes. */
export interface ScopeTables {
  /** What makes it a class; object keys among its fields are objects that it stands on. */
  readonly scope: object;
  tables(): readonly ResourceTable[];
}

/** Object → how many resources of a table come from it. Follows the table's log, like a stream. */
class TableOrigins {
  readonly counts = new Map<string, number>();
  readonly #byName = new Map<string, readonly ResourceOrigin[]>();
  #position = 0;

  /** Looks at what has changed since the last time, and at nothing else. */
  follow(table: ResourceTable): void {
    if (this.#position === table.head) return;
    const delta = this.#position === 0 ? undefined : table.since(this.#position);
    if (delta === undefined) {
      this.counts.clear();
      this.#byName.clear();
      for (const { name, origins } of table.resources()) this.#put(name, origins);
    } else {
      for (const { name } of delta.removed) this.#drop(name);
      for (const { name, origins } of delta.changed) {
        this.#drop(name);
        this.#put(name, origins);
      }
    }
    this.#position = table.head;
  }

  #put(name: string, origins: readonly ResourceOrigin[]): void {
    this.#byName.set(name, origins);
    for (const object of objectsOf(origins)) {
      this.counts.set(object, (this.counts.get(object) ?? 0) + 1);
    }
  }

  #drop(name: string): void {
    for (const object of objectsOf(this.#byName.get(name) ?? [])) {
      const left = (this.counts.get(object) ?? 0) - 1;
      if (left > 0) this.counts.set(object, left);
      else this.counts.delete(object);
    }
    this.#byName.delete(name);
  }
}

/** Services are most of all origins, and have no status of ours. Classes share most resources. */
const objectsOf = cached((origins: readonly ResourceOrigin[]): readonly string[] => {
  const objects = new Set<string>();
  for (const { object } of origins) if (!object.startsWith("Service/")) objects.add(object);
  return [...objects];
});

/** Forgets a scope with its tables: nothing here keeps either. */
export class OriginIndex {
  readonly #tables = new WeakMap<ResourceTable, TableOrigins>();
  readonly #names = new WeakMap<object, ReadonlySet<string>>();

  /** Whether what a class of proxies is told comes from an object, or the class itself is due to it. */
  isConcerned(of: ScopeTables, object: string): boolean {
    return this.#namesIn(of.scope).has(object) || this.#hasOrigin(of, object);
  }

  #hasOrigin(of: ScopeTables, object: string): boolean {
    return of.tables().some((table) => {
      let origins = this.#tables.get(table);
      if (origins === undefined) {
        origins = new TableOrigins();
        this.#tables.set(table, origins);
      }
      origins.follow(table);
      return origins.counts.has(object);
    });
  }

  #namesIn(scope: object): ReadonlySet<string> {
    const known = this.#names.get(scope);
    if (known !== undefined) return known;
    const names = new Set<string>();
    collectTexts(scope, names);
    this.#names.set(scope, names);
    return names;
  }
}

function collectTexts(value: unknown, into: Set<string>): void {
  if (typeof value === "string") into.add(value);
  else if (typeof value === "object" && value !== null) {
    for (const member of Object.values(value)) collectTexts(member, into);
  }
}
