/**
 * Sets of names as streams need them: most streams of a class ask for the same thousands, and get
 * all of a table. What they have in common is kept once.
 */

import type { ResourceTable } from "#pilot/cache/table.ts";

/** Names that a stream asks for: a set that others share, and how this one differs from it. */
export class WantedNames implements Iterable<string> {
  #shared: ReadonlySet<string> = NONE;
  readonly #more = new Set<string>();
  readonly #less = new Set<string>();

  get size(): number {
    return this.#shared.size - this.#less.size + this.#more.size;
  }

  has(name: string): boolean {
    return this.#more.has(name) || (this.#shared.has(name) && !this.#less.has(name));
  }

  add(name: string): void {
    if (this.#shared.has(name)) this.#less.delete(name);
    else this.#more.add(name);
  }

  delete(name: string): boolean {
    if (this.#more.delete(name)) return true;
    if (!this.#shared.has(name) || this.#less.has(name)) return false;
    this.#less.add(name);
    return true;
  }

  /** Begins with all of these: only before the first name. The list must never change. */
  begin(names: readonly string[]): void {
    this.#shared = setOf(names);
  }

  *[Symbol.iterator](): Iterator<string> {
    for (const name of this.#shared) if (!this.#less.has(name)) yield name;
    yield* this.#more;
  }
}

const NONE: ReadonlySet<string> = new Set();

/** Names whose turn is next. A table of which everything lacks costs one entry. */
export class LackingNames {
  readonly #names = new Set<string>();
  readonly #whole = new Set<ResourceTable>();

  get isEmpty(): boolean {
    return this.#names.size + this.#whole.size === 0;
  }

  has(name: string): boolean {
    if (this.#names.has(name)) return true;
    for (const table of this.#whole) if (table.get(name) !== undefined) return true;
    return false;
  }

  add(name: string): void {
    this.#names.add(name);
  }

  /** Everything that the table holds now; must be spread before the reader looks at its changes. */
  addAll(table: ResourceTable): void {
    if (table.size > 0) this.#whole.add(table);
  }

  delete(name: string): void {
    for (const table of this.#whole) if (table.get(name) !== undefined) this.spread(table);
    this.#names.delete(name);
  }

  /** Name by name. */
  spread(table: ResourceTable, isWanted: (name: string) => boolean = () => true): void {
    if (!this.#whole.delete(table)) return;
    for (const name of table.names()) if (isWanted(name)) this.#names.add(name);
  }

  /** All of them. */
  names(): ReadonlySet<string> {
    for (const table of this.#whole) this.spread(table);
    return this.#names;
  }

  /** Takes a table away if all of it is lacking. */
  takeAll(table: ResourceTable): boolean {
    if (table.size === 0) return false;
    if (!this.#whole.delete(table)) {
      if (this.#names.size < table.size) return false;
      for (const name of table.names()) if (!this.#names.has(name)) return false;
    }
    if (this.#names.size > 0) for (const name of table.names()) this.#names.delete(name);
    return true;
  }

  clear(): void {
    this.#names.clear();
    this.#whole.clear();
  }
}

/** Below this, names are looked at one by one. */
const MANY = 64;

/** The table whose content these names are, one for one; the others hold nothing. */
export function tableOf(
  names: readonly string[],
  tables: Iterable<ResourceTable>,
): ResourceTable | undefined {
  if (names.length < MANY) return undefined;
  const [table, ...more] = [...tables].filter(({ size }) => size > 0);
  if (table === undefined || more.length > 0 || table.size !== names.length) return undefined;
  return isContent(table, names) ? table : undefined;
}

/** Of lists that are shared, as long as somebody has them. */
const sets = new WeakMap<readonly string[], ReadonlySet<string>>();

function setOf(names: readonly string[]): ReadonlySet<string> {
  const known = sets.get(names) ?? new Set(names);
  sets.set(names, known);
  return known;
}

/** What was found out last about a table: the next stream asks the same. */
const contents = new WeakMap<
  ResourceTable,
  { readonly head: number; readonly names: readonly string[]; readonly is: boolean }
>();

function isContent(table: ResourceTable, names: readonly string[]): boolean {
  const known = contents.get(table);
  if (known?.head === table.head && known.names === names) return known.is;
  const set = setOf(names);
  const is = set.size === table.size && [...table.names()].every((name) => set.has(name));
  contents.set(table, { head: table.head, names, is });
  return is;
}
