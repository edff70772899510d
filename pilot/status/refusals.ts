/** Refusals of proxies as problems of the objects, and fields, that the refused resource comes from. */

import type { ResourceOrigin } from "#pilot/cache/resource.ts";
import { shortName } from "#pilot/cache/type-url.ts";
import type { TypeUrl } from "#pilot/cache/type-url.ts";
import type { ReportedProblem } from "./problem-reporter.ts";

/** A proxy refuses resources; what it had before stays in force there. */
export interface Refusal {
  readonly proxyId: string;
  readonly type: TypeUrl;
  readonly message: string;
  readonly resources: readonly {
    readonly name: string;
    readonly origins: readonly ResourceOrigin[];
  }[];
  /** It has them without patches. */
  readonly isReplaced?: boolean;
}

/** Proxies tell at length, over many lines, what they refuse. */
const MAX_SHOWN = 500;
const MAX_OBJECTS = 10;

interface Group {
  readonly refusal: Refusal;
  readonly proxies: Set<string>;
  /** How many have it without patches. */
  replaced: number;
}

/** One a field and reason, with the number of proxies that refuse. */
export function refusalProblems(refusals: Iterable<Refusal>): ReportedProblem[] {
  const groups = new Map<string, Group>();
  for (const refusal of refusals) {
    const names = refusal.resources.map(({ name }) => name).join(" ");
    const key = `${refusal.type} ${names} ${refusal.message}`;
    const group = groups.get(key) ?? { refusal, proxies: new Set(), replaced: 0 };
    group.proxies.add(refusal.proxyId);
    if (refusal.isReplaced === true) group.replaced++;
    groups.set(key, group);
  }
  return [...groups.values()].flatMap(problemsOf);
}

function problemsOf({ refusal, proxies, replaced }: Group): ReportedProblem[] {
  const { type, message, resources } = refusal;
  const kind = shortName(type) ?? type;
  const names = resources.map(({ name }) => name).slice(0, 3);
  const who = proxies.size === 1 ? "1 proxy refuses" : `${proxies.size} proxies refuse`;
  const without = replaced === 0 ? "" : `; ${replaced} of them without patches instead`;
  const told = `${who} what it makes of ${kind} ${names.join(", ")}: ${oneLine(message)}${without}`;
  return blamed(resources.flatMap(({ origins }) => origins)).map(({ object, path }) => ({
    object,
    path,
    reason: "RefusedByProxy",
    message: told,
  }));
}

/** Most telling first: what patches Envoy's own words, rules, then what rules are about. */
const BLAME = [/^EnvoyFilter\//, /^(VirtualService|DestinationRule)\//, /^(?!Service\/)/];

/** A Service is never to blame, a Gateway only where no rule takes part. */
function blamed(origins: readonly ResourceOrigin[]): ResourceOrigin[] {
  const suspects = BLAME.map((pattern) => origins.filter(({ object }) => pattern.test(object)));
  const found = suspects.find((list) => list.length > 0) ?? [];
  const byObject = Map.groupBy(found, ({ object }) => object);
  return [...byObject]
    .slice(0, MAX_OBJECTS)
    .map(([object, list]) => ({ object, path: commonPath(list.map(({ path }) => path)) }));
}

/** The narrowest field that holds all of them. */
function commonPath(paths: readonly string[]): string {
  const [first = "", ...rest] = paths.map((path) => path.split(/(?=[.[])/));
  let length = first.length;
  for (const parts of rest) {
    let same = 0;
    while (same < length && parts[same] === first[same]) same++;
    length = same;
  }
  return (first as readonly string[]).slice(0, length).join("");
}

function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, " ").slice(0, MAX_SHOWN);
}
