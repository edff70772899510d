/** What is wrong with an object, in the words of its author. */

import type { ObjectKey } from "./name.ts";

/**
 * `error`: the part at `path` has no effect; `warning`: it has, but perhaps not the one that is
 * meant.
 */
export interface Problem {
  readonly object: ObjectKey;
  /** JSON path from the object, for example `spec.http[0].route[1].weight`. */
  readonly path: string;
  readonly severity: "error" | "warning";
  /** CamelCase, stable: `UnknownHost`, `InvalidRegex`. */
  readonly reason: string;
  readonly message: string;
}
