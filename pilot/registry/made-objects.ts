import type { Change } from "#pilot/model/change.ts";
import type { ObjectKey } from "#pilot/model/name.ts";
import type { ModelObject } from "#pilot/model/object.ts";

/** What every source has become, so that a change of it takes back what it no longer makes. */
export class MadeObjects {
  readonly #made = new Map<string, readonly ObjectKey[]>();

  /** Upserts what a source makes now, and deletes what it made before and no longer does. */
  become(source: string, objects: readonly ModelObject[]): Change[] {
    const keys = new Set(objects.map((one) => one.key));
    const gone = (this.#made.get(source) ?? []).filter((key) => !keys.has(key));
    if (objects.length === 0) this.#made.delete(source);
    else this.#made.set(source, [...keys]);
    return [
      ...gone.map((key): Change => ({ type: "delete", key })),
      ...objects.map((object): Change => ({ type: "upsert", object })),
    ];
  }
}

/** Sets by a key; an empty one is none. */
export class SetsByKey {
  readonly #sets = new Map<string, Set<string>>();

  of(key: string): ReadonlySet<string> {
    return this.#sets.get(key) ?? NONE;
  }

  add(key: string, value: string): void {
    const found = this.#sets.get(key);
    if (found === undefined) this.#sets.set(key, new Set([value]));
    else found.add(value);
  }

  drop(key: string, value: string): void {
    const found = this.#sets.get(key);
    found?.delete(value);
    if (found?.size === 0) this.#sets.delete(key);
  }
}

const NONE: ReadonlySet<string> = new Set();
