/**
 * Rules that go on in another VirtualService (Istio, "Delegate"): root rules × the delegate's
 * rules.
 */

import type { HTTPMatchRequest, HTTPRoute, StringMatch } from "#crds/types/networking-v1.ts";
import type { ObjectKey } from "#pilot/model/name.ts";
import type { VirtualService, WrittenRule } from "#pilot/model/object.ts";
import { type PushContext, delegateKey, objectOf } from "#pilot/model/push-context.ts";
import { isRuleVisible } from "#pilot/model/visibility.ts";
import { type Reporter, error } from "./result.ts";

/** One rule with the object and path that it is written at. */
export interface PlacedRule {
  readonly rule: HTTPRoute;
  readonly object: ObjectKey;
  readonly namespace: string;
  readonly path: string;
  /** Of a rule that is attached to a service: what its author calls its parts. */
  readonly written?: WrittenRule;
}

/** The VirtualServices that a rule delegates to, in order and without doubles. */
export function delegatesOf(
  context: PushContext,
  root: VirtualService,
): readonly (VirtualService | undefined)[] {
  return (root.spec.http ?? []).map(({ delegate }) => {
    if (delegate === undefined) return undefined;
    const found = objectOf(context, delegateKey(root, delegate));
    if (found?.kind !== "VirtualService") return undefined;
    return isRuleVisible(found, context.mesh, root.namespace) ? found : undefined;
  });
}

/** The HTTP rules of a VirtualService with those of its delegates put in their places. */
export function expandRules(
  root: VirtualService,
  delegates: readonly (VirtualService | undefined)[],
  report: Reporter,
): PlacedRule[] {
  return (root.spec.http ?? []).flatMap((rule, at): PlacedRule[] => {
    const path = `spec.http[${at}]`;
    const written = root.attachment?.rules[at];
    if (written !== undefined) {
      return [{ rule, object: written.object, namespace: root.namespace, path, written }];
    }
    if (rule.delegate === undefined) {
      return [{ rule, object: root.key, namespace: root.namespace, path }];
    }
    const target = delegates[at];
    if (target === undefined || (target.spec.hosts ?? []).length > 0) {
      const name = `${rule.delegate.namespace ?? root.namespace}/${rule.delegate.name}`;
      const why = target === undefined ? "does not exist or isn't exported here" : "has hosts";
      error(report, `${path}.delegate`, "UnknownDelegate", `VirtualService ${name} ${why}`);
      return [];
    }
    return (target.spec.http ?? []).flatMap((inner, innerAt): PlacedRule[] => {
      const match = intersect(rule.match, inner.match);
      if (match === "nothing" || inner.delegate !== undefined) return [];
      const { delegate: _delegate, ...outer } = rule;
      const merged: HTTPRoute = { ...outer, ...inner, ...(match === undefined ? {} : { match }) };
      return [
        {
          rule: merged,
          object: target.key,
          namespace: target.namespace,
          path: `spec.http[${innerAt}]`,
        },
      ];
    });
  });
}

/** Blocks that both allow; undefined is everything. */
function intersect(
  outer: readonly HTTPMatchRequest[] | undefined,
  inner: readonly HTTPMatchRequest[] | undefined,
): HTTPMatchRequest[] | undefined | "nothing" {
  if (outer === undefined || outer.length === 0) return inner === undefined ? inner : [...inner];
  if (inner === undefined || inner.length === 0) return [...outer];
  const both = outer.flatMap((left) =>
    inner.flatMap((right) => {
      const block = combine(left, right);
      return block === undefined ? [] : [block];
    }),
  );
  return both.length === 0 ? "nothing" : both;
}

const MAPS = ["headers", "withoutHeaders", "queryParams", "sourceLabels"] as const;
const SINGLES = [
  "scheme",
  "method",
  "authority",
  "port",
  "sourceNamespace",
  "ignoreUriCase",
] as const;

function combine(left: HTTPMatchRequest, right: HTTPMatchRequest): HTTPMatchRequest | undefined {
  const uri = narrower(left.uri, right.uri);
  if (uri === "conflict") return undefined;
  for (const field of SINGLES) {
    const both = left[field] !== undefined && right[field] !== undefined;
    if (both && !same(left[field], right[field])) return undefined;
  }
  const maps: Record<string, unknown> = {};
  for (const field of MAPS) {
    const one = new Map<string, unknown>(Object.entries(left[field] ?? {}));
    for (const [name, value] of Object.entries(right[field] ?? {})) {
      if (one.has(name) && !same(one.get(name), value)) return undefined;
      one.set(name, value);
    }
    if (one.size > 0) maps[field] = Object.fromEntries(one);
  }
  const name = [left.name, right.name].filter((one) => one !== undefined).join("-");
  const gateways = right.gateways ?? left.gateways;
  return {
    ...left,
    ...right,
    ...maps,
    ...(uri === undefined ? {} : { uri }),
    ...(name === "" ? {} : { name }),
    ...(gateways === undefined ? {} : { gateways }),
  };
}

/** A delegate may only narrow the root's path. */
function narrower(
  outer: StringMatch | undefined,
  inner: StringMatch | undefined,
): StringMatch | undefined | "conflict" {
  if (outer === undefined) return inner;
  if (inner === undefined) return outer;
  if (same(outer, inner)) return inner;
  const value = inner.exact ?? inner.prefix;
  return outer.prefix !== undefined && value?.startsWith(outer.prefix) === true
    ? inner
    : "conflict";
}

function same(left: unknown, right: unknown): boolean {
  return JSON.stringify(left) === JSON.stringify(right);
}
