/** Equality selectors over labels. */

import type { Labels } from "./object.ts";

/** Whether labels contain all of a selector; the empty selector matches everything. */
export function matchesAll(selector: Labels, labels: Labels): boolean {
  return Object.entries(selector).every(
    ([name, value]) => Object.hasOwn(labels, name) && labels[name] === value,
  );
}
