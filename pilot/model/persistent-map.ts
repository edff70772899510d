/** An immutable string map whose copies share what did not change. */

const SHARDS = 256;

type Shard<V> = ReadonlyMap<string, V>;

const EMPTY_SHARD: Shard<never> = new Map<string, never>();

/**
 * Two levels: 256 shards by hash of the key. Making a map with k other entries costs O(k · n/256),
 * so one change to ten thousand services copies forty entries. Iteration has no promised order.
 */
export class PersistentMap<V> {
  readonly size: number;
  readonly #shards: readonly Shard<V>[];

  private constructor(shards: readonly Shard<V>[], size: number) {
    this.#shards = shards;
    this.size = size;
  }

  static empty<V>(): PersistentMap<V> {
    return new PersistentMap<V>(
      Array.from({ length: SHARDS }, (): Shard<V> => EMPTY_SHARD),
      0,
    );
  }

  get(key: string): V | undefined {
    return this.#shards[shardOf(key)]?.get(key);
  }

  has(key: string): boolean {
    return this.#shards[shardOf(key)]?.has(key) ?? false;
  }

  /**
   * A map with these entries put in place; `undefined` removes. Nothing to change gives this map.
   */
  with(entries: Iterable<readonly [string, V | undefined]>): PersistentMap<V> {
    const shards = [...this.#shards];
    const copies = new Map<number, Map<string, V>>();
    let size = this.size;
    for (const [key, value] of entries) {
      const at = shardOf(key);
      const current = shards[at] ?? EMPTY_SHARD;
      if (value === undefined ? !current.has(key) : current.get(key) === value) continue;
      let copy = copies.get(at);
      if (copy === undefined) {
        copy = new Map(current);
        copies.set(at, copy);
        shards[at] = copy;
      }
      size -= copy.has(key) ? 1 : 0;
      if (value === undefined) copy.delete(key);
      else copy.set(key, value);
      size += value === undefined ? 0 : 1;
    }
    return copies.size === 0 ? this : new PersistentMap(shards, size);
  }

  *values(): IterableIterator<V> {
    for (const shard of this.#shards) yield* shard.values();
  }

  *entries(): IterableIterator<[string, V]> {
    for (const shard of this.#shards) yield* shard.entries();
  }

  *keys(): IterableIterator<string> {
    for (const shard of this.#shards) yield* shard.keys();
  }
}

/** FNV-1a over UTF-16 units, folded to eight bits. */
function shardOf(key: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < key.length; at++) {
    hash = Math.imul(hash ^ key.charCodeAt(at), 0x01000193);
  }
  return ((hash >>> 24) ^ (hash >>> 12) ^ hash) & (SHARDS - 1);
}
