/** Provenance: which objects, and which fields of them, a piece of configuration comes from. */

export interface Origin {
  /** `Kind/namespace/name`. */
  readonly object: string;
  /** JSON path inside the object; empty for the whole of it. */
  readonly path: string;
}

/** Origins without doubles, in a stable order. */
export function mergeOrigins(...lists: readonly (readonly Origin[])[]): Origin[] {
  const sorted = lists.flat().toSorted(compareOrigins);
  return sorted.filter((origin, at) => {
    const before = sorted[at - 1];
    return before === undefined || compareOrigins(before, origin) !== 0;
  });
}

function compareOrigins(left: Origin, right: Origin): number {
  if (left === right) return 0;
  if (left.object !== right.object) return left.object < right.object ? -1 : 1;
  if (left.path === right.path) return 0;
  return left.path < right.path ? -1 : 1;
}
