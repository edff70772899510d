/** What the DestinationRules of one host say together. */

import type { Subset, TrafficPolicy } from "#crds/types/networking-v1.ts";
import type { IrProblem } from "#pilot/ir/scope-ir.ts";
import type { DestinationRule } from "#pilot/model/object.ts";

export interface RuleSubset {
  readonly subset: Subset;
  /** The rule that it is written in, and where. */
  readonly rule: DestinationRule;
  readonly path: string;
}

/** Rules of one host put together: policies of the oldest that has some, subsets of all. */
export interface MergedRule {
  readonly rules: readonly DestinationRule[];
  readonly policy?: { readonly rule: DestinationRule; readonly value: TrafficPolicy };
  readonly subsets: readonly RuleSubset[];
  /** What of the younger ones has no effect. */
  readonly problems: readonly IrProblem[];
}
