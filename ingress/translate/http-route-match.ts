/** A match of an HTTPRoute, and how specific it is. */

import { RE2JS } from "re2js";
import type {
  HTTPMatchRequest,
  HTTPRoute,
  HTTPRouteMatch,
  HTTPValueMatch,
  StringMatch,
} from "#crds/types/networking-v1.ts";

/** The more specific comes first, number by number. */
export type Precedence = readonly [
  pathKind: number,
  pathLength: number,
  method: number,
  headers: number,
  query: number,
];

export interface MatchedRule {
  readonly rule: HTTPRoute;
  readonly rank: Precedence;
}

/** A prefix that is replaced by one that ends a segment needs two rules, lest `//` come of it. */
export function forMatch(
  rule: HTTPRoute,
  match: HTTPRouteMatch,
  removesPrefix: boolean,
): MatchedRule[] {
  const block = blockOf(match);
  const rank = rankOf(match, block);
  const prefix = block.uri?.prefix;
  const { redirect } = rule;
  if (prefix !== undefined && prefix !== "/") {
    if (redirect?.prefixRewrite?.endsWith("/") === true) {
      const { prefixRewrite: uri, ...rest } = redirect;
      const whole = { ...block, uri: { exact: prefix } };
      const below = { ...block, uri: { prefix: `${prefix}/` } };
      return [
        { rule: { ...rule, redirect: { ...rest, uri }, match: [whole] }, rank },
        { rule: { ...rule, match: [below] }, rank },
      ];
    }
    if (rule.rewrite !== undefined && removesPrefix) {
      const { uri: _uri, ...rest } = rule.rewrite;
      const uriRegexRewrite = { match: `^${quoted(prefix)}(/?)(.*)`, rewrite: String.raw`/\2` };
      const rewrite = { ...rest, uriRegexRewrite };
      return [{ rule: { ...rule, rewrite, match: [block] }, rank }];
    }
  }
  return [{ rule: { ...rule, match: [block] }, rank }];
}

function quoted(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
}

function blockOf({
  path,
  headers = [],
  queryParams = [],
  method,
}: HTTPRouteMatch): HTTPMatchRequest {
  const { type = "PathPrefix", value = "/" } = path ?? {};
  const uri: StringMatch =
    type === "Exact"
      ? { exact: value }
      : type === "RegularExpression"
        ? { regex: value }
        : { prefix: value === "/" ? value : value.replace(/\/$/, "") };
  return {
    uri,
    ...(headers.length === 0 ? {} : { headers: byName(headers, (one) => one.toLowerCase()) }),
    ...(queryParams.length === 0 ? {} : { queryParams: byName(queryParams, (one) => one) }),
    ...(method === undefined ? {} : { method: { exact: method } }),
  };
}

/** A pattern that RE2 can't read: a match that has one takes no request. */
export function patternProblem({
  path,
  headers = [],
  queryParams = [],
}: HTTPRouteMatch): { path: string; message: string } | undefined {
  const isPattern = (one: { type?: string } | undefined): boolean =>
    one?.type === "RegularExpression";
  const patterns = [
    ...(isPattern(path) ? [{ path: "path.value", text: path?.value ?? "" }] : []),
    ...headers.map((one, at) => ({ path: `headers[${at}].value`, text: one.value, one })),
    ...queryParams.map((one, at) => ({ path: `queryParams[${at}].value`, text: one.value, one })),
  ].filter((each) => !("one" in each) || isPattern(each.one));
  for (const { path: where, text } of patterns) {
    try {
      RE2JS.compile(text);
    } catch (cause) {
      return { path: where, message: cause instanceof Error ? cause.message : String(cause) };
    }
  }
  return undefined;
}

/** Of equal names the first counts. */
function byName(
  values: readonly HTTPValueMatch[],
  nameOf: (name: string) => string,
): Record<string, StringMatch> {
  const entries = values.map(({ name, type, value }): [string, StringMatch] => [
    nameOf(name),
    type === "RegularExpression" ? { regex: value } : { exact: value },
  ]);
  return Object.fromEntries(entries.toReversed());
}

/** Gateway API, HTTPRouteRule: Exact before PathPrefix, then Istio's order of the rest. */
function rankOf(
  { method }: HTTPRouteMatch,
  { uri, headers, queryParams }: HTTPMatchRequest,
): Precedence {
  const { exact, prefix, regex = "" } = uri ?? {};
  const path = exact ?? prefix ?? regex;
  return [
    exact !== undefined ? 3 : prefix !== undefined ? 2 : 1,
    path.length,
    method === undefined ? 0 : 1,
    Object.keys(headers ?? {}).length,
    Object.keys(queryParams ?? {}).length,
  ];
}
