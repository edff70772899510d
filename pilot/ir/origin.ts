/** Provenance: which objects, and which fields of them, a piece of configuration comes from. */

export interface Origin {
  /** `Kind/namespace/name`. */
  readonly object: string;
  /** JSON path inside the object; empty for the whole of it. */
  readonly path: string;
}

/** Origins without doubles, in a stable order. */
export function mergeOrigins(...lists: readonly (readonly Origin[])[]): Origin[] {
  const byText = new Map<string, Origin>();
  for (const origin of lists.flat()) byText.set(`${origin.object} ${origin.path}`, origin);
  return [...byText]
    .toSorted(([left], [right]) => (left < right ? -1 : 1))
    .map(([, origin]) => origin);
}
