/** Patches of lists whose order matters: filters and routes. */

import type { Patch } from "./patch.ts";

/**
 * The list after one patch that adds, replaces or removes; the same list where it has no effect.
 * Without `isTarget` nothing is named: then before means first, after means last, and nothing is
 * removed or replaced.
 */
export function editList<T>(
  list: readonly T[],
  patch: Patch,
  value: T,
  isTarget: ((one: T) => boolean) | undefined,
): readonly T[] {
  switch (patch.operation) {
    case "ADD":
      return [...list, value];
    case "INSERT_FIRST":
      return [value, ...list];
    case "INSERT_BEFORE":
      return isTarget === undefined ? [value, ...list] : insertAt(list, value, isTarget, 0);
    case "INSERT_AFTER":
      return isTarget === undefined ? [...list, value] : insertAt(list, value, isTarget, 1);
    case "REPLACE": {
      const at = isTarget === undefined ? -1 : list.findIndex(isTarget);
      return at < 0 ? list : list.with(at, value);
    }
    case "REMOVE":
      return isTarget !== undefined && list.some(isTarget)
        ? list.filter((one) => !isTarget(one))
        : list;
    case "MERGE":
    case "MERGE_AND_REPLACE_LIST":
      return list;
  }
}

function insertAt<T>(
  list: readonly T[],
  value: T,
  isTarget: (one: T) => boolean,
  offset: 0 | 1,
): readonly T[] {
  const at = list.findIndex(isTarget);
  return at < 0 ? list : list.toSpliced(at + offset, 0, value);
}
