/** One `match` block of an HTTP rule: what is decided here, and what is left to the proxy. */

import type {
  HTTPMatchRequest,
  StringMatch as StringMatchSpec,
} from "#crds/types/networking-v1.ts";
import type {
  HeaderMatch,
  PathMatch,
  QueryMatch,
  RouteMatch,
  StringMatch,
} from "#pilot/ir/route.ts";
import { matchesAll } from "#pilot/model/labels.ts";
import type { Labels } from "#pilot/model/object.ts";
import { compareText } from "#pilot/model/object.ts";
import { controlProblem, stringMatch } from "./fields.ts";
import { type Reporter, error } from "./result.ts";

/** From where a request is looked at. */
export interface Viewpoint {
  /** `mesh`, or the `namespace/name` of the Gateways whose routes are built. */
  readonly gateways: readonly string[];
  /** Port of the listener; 0 any. */
  readonly port: number;
  /** The client; gateways and rules that don't ask for it have none. */
  readonly source?: { readonly namespace: string; readonly labels: Labels };
}

/** Whether a match block can hold for requests from a viewpoint at all. */
export function appliesTo(
  match: Pick<HTTPMatchRequest, "port" | "sourceLabels" | "sourceNamespace" | "gateways">,
  view: Viewpoint,
  ruleNamespace: string,
): boolean {
  const gateways = (match.gateways ?? []).map((name) =>
    name === "mesh" || name.includes("/") ? name : `${ruleNamespace}/${name}`,
  );
  if (gateways.length > 0 && !gateways.some((name) => view.gateways.includes(name))) return false;
  if (match.port !== undefined && match.port !== 0 && view.port !== 0 && match.port !== view.port) {
    return false;
  }
  if (view.source === undefined) return true;
  if ((match.sourceNamespace ?? "") !== "" && match.sourceNamespace !== view.source.namespace) {
    return false;
  }
  return matchesAll(match.sourceLabels ?? {}, view.source.labels);
}

const EVERY_PATH: StringMatch = { kind: "prefix", value: "/" };
const EVERYTHING: RouteMatch = { path: EVERY_PATH, headers: [], query: [] };

/**
 * The part of a block that the proxy evaluates; undefined (and a problem) where it can't be.
 * Prefixes are of characters, as Istio has them, or of segments.
 */
export function requestMatch(
  spec: HTTPMatchRequest | undefined,
  report: Reporter,
  path: string,
  bySegments = false,
): RouteMatch | undefined {
  if (spec === undefined) return EVERYTHING;
  const text = pathMatch(spec, report, path);
  const uri = bySegments && text?.kind === "prefix" ? segments(text) : text;
  const headers = headerMatches(spec, report, path);
  const query = queryMatches(spec, report, path);
  if (uri === undefined || headers === undefined || query === undefined) return undefined;
  return { path: uri, headers, query };
}

function pathMatch(
  spec: HTTPMatchRequest,
  report: Reporter,
  path: string,
): StringMatch | undefined {
  const parsed = stringMatch(spec.uri, report, `${path}.uri`);
  if (!parsed.ok) return undefined;
  const match = parsed.match ?? EVERY_PATH;
  return spec.ignoreUriCase === true && match.kind !== "regex"
    ? { ...match, ignoreCase: true }
    : match;
}

/** A prefix that ends a segment takes nothing else as it is. */
function segments(match: StringMatch & { kind: "prefix" }): PathMatch {
  return match.value.endsWith("/") ? match : { ...match, kind: "segments" };
}

function headerMatches(
  spec: HTTPMatchRequest,
  report: Reporter,
  path: string,
): HeaderMatch[] | undefined {
  const special: [string, StringMatchSpec | undefined, string][] = [
    [":method", spec.method, "method"],
    [":authority", spec.authority, "authority"],
    [":scheme", spec.scheme, "scheme"],
  ];
  const wanted: { name: string; spec: StringMatchSpec; invert: boolean; at: string }[] = [
    ...entriesOf(spec.headers).map(([name, one]) => ({
      name: name.toLowerCase(),
      spec: one,
      invert: false,
      at: `headers[${name}]`,
    })),
    ...entriesOf(spec.withoutHeaders).map(([name, one]) => ({
      name: name.toLowerCase(),
      spec: one,
      invert: true,
      at: `withoutHeaders[${name}]`,
    })),
    ...special.flatMap(([name, one, at]) =>
      one === undefined ? [] : [{ name, spec: one, invert: false, at }],
    ),
  ];
  const matches: HeaderMatch[] = [];
  for (const { name, spec: one, invert, at } of wanted) {
    const invalid = name === "" ? "a header needs a name" : controlProblem(name);
    if (invalid !== undefined) {
      error(report, `${path}.${at}`, "InvalidName", invalid);
      return undefined;
    }
    const parsed = stringMatch(one, report, `${path}.${at}`);
    if (!parsed.ok) return undefined;
    matches.push({ name, ...(parsed.match === undefined ? {} : { match: parsed.match }), invert });
  }
  return matches;
}

function queryMatches(
  spec: HTTPMatchRequest,
  report: Reporter,
  path: string,
): QueryMatch[] | undefined {
  const matches: QueryMatch[] = [];
  for (const [name, one] of entriesOf(spec.queryParams)) {
    if (name === "") {
      error(report, `${path}.queryParams`, "InvalidName", "a parameter needs a name");
      return undefined;
    }
    const parsed = stringMatch(one, report, `${path}.queryParams[${name}]`);
    if (!parsed.ok) return undefined;
    matches.push({ name, ...(parsed.match === undefined ? {} : { match: parsed.match }) });
  }
  return matches;
}

/** A null value (`end-user:` with nothing behind it) asks for presence. */
function entriesOf(
  map: Readonly<Record<string, StringMatchSpec | null>> | undefined,
): [string, StringMatchSpec][] {
  return Object.entries(map ?? {})
    .map(([name, value]): [string, StringMatchSpec] => [name, value ?? {}])
    .toSorted(([left], [right]) => compareText(left, right));
}

/** Whether a match takes every request, so that no later rule is ever reached. */
export function matchesEverything(match: RouteMatch): boolean {
  if (match.headers.length > 0 || match.query.length > 0) return false;
  const { path } = match;
  return (
    (path.kind === "prefix" && path.value === "/") ||
    (path.kind === "regex" && (path.value === "*" || path.value === ".*"))
  );
}
