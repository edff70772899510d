/** Objects of one kind by a derived key, kept up to date by change sets. */

import { isWildcard, wildcardsOf } from "./host.ts";
import type { Hostname } from "./name.ts";
import { PersistentMap } from "./persistent-map.ts";

/** How an index is derived: `keysOf` of an object may be empty (it isn't in this index). */
export interface IndexSpec<T> {
  readonly keysOf: (object: T) => readonly string[];
  readonly compare: (left: T, right: T) => number;
}

/** Key → its objects, sorted; a list keeps its identity as long as none of its objects changes. */
export interface ObjectIndex<T> {
  readonly spec: IndexSpec<T>;
  readonly lists: PersistentMap<readonly T[]>;
  /** How many keys are wildcards, of an index by host: mostly none, and none has to be looked up. */
  readonly wildcards: number;
}

export function emptyIndex<T>(spec: IndexSpec<T>): ObjectIndex<T> {
  return { spec, lists: PersistentMap.empty(), wildcards: 0 };
}

const NONE: readonly never[] = [];

export function lookup<T>(index: ObjectIndex<T>, key: string): readonly T[] {
  return index.lists.get(key) ?? NONE;
}

/** Of an index by host: the keys that may cover a name, itself first, then from narrow to wide. */
export function coveringKeys<T>(index: ObjectIndex<T>, host: Hostname): readonly Hostname[] {
  return index.wildcards === 0 ? [host] : [host, ...wildcardsOf(host)];
}

/**
 * The index after some objects were replaced: removed ones leave all their keys, added ones come
 * in.
 */
export function reindex<T extends object>(
  index: ObjectIndex<T>,
  removed: readonly T[],
  added: readonly T[],
): ObjectIndex<T> {
  const touched = new Map<string, { out: Set<T>; in: Set<T> }>();
  const entry = (key: string): { out: Set<T>; in: Set<T> } => {
    const found = touched.get(key) ?? { out: new Set<T>(), in: new Set<T>() };
    touched.set(key, found);
    return found;
  };
  for (const object of removed) {
    for (const key of index.spec.keysOf(object)) entry(key).out.add(object);
  }
  for (const object of added) {
    for (const key of index.spec.keysOf(object)) entry(key).in.add(object);
  }
  const lists = index.lists.with(
    [...touched].map(([key, change]): [string, readonly T[] | undefined] => {
      const list = changedList(lookup(index, key), change, index.spec.compare);
      return [key, list.length === 0 ? undefined : list];
    }),
  );
  if (lists === index.lists) return index;
  let { wildcards } = index;
  for (const key of touched.keys()) {
    if (!isWildcard(key)) continue;
    wildcards += Number(lists.has(key)) - Number(index.lists.has(key));
  }
  return { spec: index.spec, lists, wildcards };
}

/** Few changes of a long list find their places by halving: only pointers are copied. */
function changedList<T>(
  list: readonly T[],
  change: { readonly out: ReadonlySet<T>; readonly in: ReadonlySet<T> },
  compare: (left: T, right: T) => number,
): T[] {
  if ((change.out.size + change.in.size) * MANY > list.length) {
    return [...list.filter((object) => !change.out.has(object)), ...change.in].toSorted(compare);
  }
  const copy = [...list];
  for (const object of change.out) {
    const at = placeOf(copy, object, compare);
    const found = copy[at] === object ? at : copy.indexOf(object);
    if (found >= 0) copy.splice(found, 1);
  }
  for (const object of change.in) copy.splice(placeOf(copy, object, compare), 0, object);
  return copy;
}

/** From one change in so many elements on, sorting anew is no dearer. */
const MANY = 16;

/** The first place in a sorted list that isn't before the object. */
function placeOf<T>(list: readonly T[], object: T, compare: (left: T, right: T) => number): number {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compare(list[middle]!, object) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
