/** Strategies written against the generated type of their kind. */

import type { AnyObject } from "#cluster/api/meta.ts";
import type { FieldProblem } from "#cluster/apiserver/schema/schema.ts";
import type { Strategy } from "./kind.ts";

/**
 * As Strategy, with the kind's own type where the schema has checked the object: validation and
 * warnings, and everything about stored objects. Defaults and prepare come before the check.
 */
export interface TypedStrategy<T extends AnyObject> extends Pick<
  Strategy,
  "applyDefaults" | "prepare"
> {
  validate?: (object: T) => FieldProblem[];
  validateUpdate?: (object: T, old: T) => FieldProblem[];
  warn?: (object: T) => string[];
  selectableFields?: (object: T) => Record<string, string>;
  gracePeriodSeconds?: (object: T) => number;
}

/** The strategy as the table holds it: the row's schema vouches for the type. */
export function strategyOf<T extends AnyObject>(strategy: TypedStrategy<T>): Strategy {
  return strategy as unknown as Strategy;
}
