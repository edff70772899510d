/** The local copy behind an informer: objects by key, by namespace and by index value. */

import type { AnyObject } from "#cluster/api/meta.ts";
import type { Lister } from "./informer.ts";

export type Indexes<T> = Record<string, (object: T) => readonly string[]>;

/** `namespace/name`, or the name alone for cluster-scoped objects. */
export function objectKey(metadata: { namespace?: string; name: string }): string {
  return keyOf(metadata.namespace, metadata.name);
}

/** The parts of an `objectKey`. */
export function splitKey(key: string): { namespace: string | undefined; name: string } {
  const slash = key.indexOf("/");
  if (slash === -1) return { namespace: undefined, name: key };
  return { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}

function keyOf(namespace: string | undefined, name: string): string {
  return namespace === undefined || namespace === "" ? name : `${namespace}/${name}`;
}

/** A Lister that can be written; every write keeps all indexes. */
export class ObjectStore<T extends AnyObject> implements Lister<T> {
  readonly #objects = new Map<string, T>();
  readonly #namespaces = new Map<string, Map<string, T>>();
  readonly #indexes: { name: string; valuesOf: (object: T) => readonly string[] }[] = [];
  readonly #indexed = new Map<string, Map<string, Map<string, T>>>();

  constructor(indexes: Indexes<T> = {}) {
    this.addIndexes(indexes);
  }

  /** An index of a known name is left as it is. */
  addIndexes(indexes: Indexes<T>): void {
    for (const [name, valuesOf] of Object.entries(indexes)) {
      if (this.#indexed.has(name)) continue;
      const values = new Map<string, Map<string, T>>();
      this.#indexes.push({ name, valuesOf });
      this.#indexed.set(name, values);
      for (const [key, object] of this.#objects) {
        for (const value of valuesOf(object)) put(values, value, { key, object });
      }
    }
  }

  get size(): number {
    return this.#objects.size;
  }

  keys(): IterableIterator<string> {
    return this.#objects.keys();
  }

  getByKey(key: string): T | undefined {
    return this.#objects.get(key);
  }

  get(namespace: string | undefined, name: string): T | undefined {
    return this.#objects.get(keyOf(namespace, name));
  }

  list(namespace?: string): readonly T[] {
    if (namespace === undefined) return [...this.#objects.values()];
    return [...(this.#namespaces.get(namespace)?.values() ?? [])];
  }

  byIndex(index: string, value: string): readonly T[] {
    const values = this.#indexed.get(index);
    if (values === undefined) throw new Error(`no index named ${index}`);
    return [...(values.get(value)?.values() ?? [])];
  }

  /** Answers with the object that was there before. */
  set(object: T): T | undefined {
    const key = objectKey(object.metadata);
    const old = this.#objects.get(key);
    if (old !== undefined) this.#unindex(key, old);
    this.#objects.set(key, object);
    put(this.#namespaces, object.metadata.namespace ?? "", { key, object });
    for (const { name, valuesOf } of this.#indexes) {
      const values = this.#indexed.get(name);
      if (values === undefined) continue;
      for (const value of valuesOf(object)) put(values, value, { key, object });
    }
    return old;
  }

  remove(key: string): T | undefined {
    const old = this.#objects.get(key);
    if (old === undefined) return undefined;
    this.#objects.delete(key);
    take(this.#namespaces, old.metadata.namespace ?? "", key);
    this.#unindex(key, old);
    return old;
  }

  #unindex(key: string, object: T): void {
    for (const { name, valuesOf } of this.#indexes) {
      const values = this.#indexed.get(name);
      if (values === undefined) continue;
      for (const value of valuesOf(object)) take(values, value, key);
    }
  }
}

function put<T>(
  maps: Map<string, Map<string, T>>,
  value: string,
  entry: { key: string; object: T },
): void {
  const map = maps.get(value);
  if (map === undefined) maps.set(value, new Map([[entry.key, entry.object]]));
  else map.set(entry.key, entry.object);
}

function take<T>(maps: Map<string, Map<string, T>>, value: string, key: string): void {
  const map = maps.get(value);
  if (map === undefined) return;
  map.delete(key);
  if (map.size === 0) maps.delete(value);
}
