/**
 * (PushContext, ProxyScope) → what that class of proxies must do. The entry of this room: each list
 * is made by its own file, lazily, and every unchanged node keeps its identity.
 */

import type { IrProblem, ScopeIr } from "#pilot/ir/scope-ir.ts";
import type { PushContext } from "#pilot/model/push-context.ts";
import type { ProxyScope } from "#pilot/model/scope.ts";

/** Translates one scope. `previous`, the last result for it, only saves work: the result is equal without. */
export function translateScope(
  context: PushContext,
  scope: ProxyScope,
  previous?: ScopeIr,
): ScopeIr {
  const problems: IrProblem[] = [];
  void [context, scope, previous];
  return { clusters: [], listeners: [], routes: [], endpoints: [], problems };
}
