/** Parts of random rules, and what draws them. */

import { randomNumbers } from "#test/golden/random-world.ts";

/** Choices from a seed. */
export interface Draw {
  below(count: number): number;
  one<T>(list: readonly T[]): T;
  /** At least one, at most so many, none twice. */
  some<T>(list: readonly T[], most: number): T[];
}

export function drawFrom(seed: number): Draw {
  const below = randomNumbers(seed);
  const one = <T>(list: readonly T[]): T => list[below(list.length)]!;
  const some = <T>(list: readonly T[], most: number): T[] => [
    ...new Set(Array.from({ length: 1 + below(most) }, () => one(list))),
  ];
  return { below, one, some };
}

export const PREFIXES = ["/", "/x", "/x/", "/api", "/api/v1", "/Case", "/a%20b", "/dot/"];
export const EXACTS = ["/", "/x", "/x/", "/api/v1", "/Case", "/a b", "/x%2Fy", "/..a"];
export const PATTERNS = [
  "/x.*",
  "/api/v[0-9]+",
  "/(x|api)/(.*)",
  ".*",
  "/[A-Z]ase",
  "/x/([^/]+)/?",
  "(?i)/CASE",
];
export const HEADERS = ["end-user", "x-y", "X-Upper", "cookie", "user-agent"];
export const VALUES = ["jason", "Jason", "v1", "v1,v2", ""];
export const QUERIES = ["q", "debug", "a b", "v"];

type Where = "root" | "delegate";

export function randomHttpRule(draw: Draw, where: Where): object {
  const matches = Array.from({ length: draw.below(4) }, () => match(draw));
  const name = draw.below(2) === 0 ? {} : { name: draw.one(["one", "two"]) };
  return { ...name, ...(matches.length === 0 ? {} : { match: matches }), ...action(draw, where) };
}

function action(draw: Draw, where: Where): object {
  const kind = draw.below(where === "root" ? 12 : 9);
  if (kind <= 1) return { redirect: redirect(draw) };
  if (kind === 2) {
    return { directResponse: { status: draw.one([200, 403, 418, 503]), body: { string: "said" } } };
  }
  if (kind >= 11)
    return { delegate: { name: draw.one(["team", "crew", "none"]), namespace: "other" } };
  const rewrite = draw.below(3) === 0 ? { rewrite: rewriting(draw) } : {};
  const headers =
    draw.below(8) === 0 ? { headers: { request: { set: { Host: "set.example.org" } } } } : {};
  return { route: destinations(draw, 3), ...rewrite, ...headers };
}

function destinations(draw: Draw, most: number): object[] {
  return Array.from({ length: 1 + draw.below(most) }, () => ({
    ...destination(draw),
    ...(draw.below(8) === 0 ? { weight: 0 } : { weight: 1 + draw.below(99) }),
    ...(draw.below(10) === 0
      ? { headers: { request: { set: { ":authority": "own.example.org" } } } }
      : {}),
  }));
}

function destination(draw: Draw): { destination: object } {
  const host = draw.one(["a", "b", "c.other.svc.cluster.local", "a.default.svc.cluster.local"]);
  const other = draw.below(6) === 0 ? draw.one(["x.example.org", "unknown", "pods"]) : host;
  return {
    destination: {
      host: other,
      ...(draw.below(3) === 0 ? { subset: draw.one(["v1", "v2", "v3"]) } : {}),
      ...(draw.below(2) === 0 ? { port: { number: draw.one([80, 8080, 9000]) } } : {}),
    },
  };
}

function match(draw: Draw): object {
  const now = (of: number): boolean => draw.below(of) === 0;
  const named = (names: readonly string[]): object =>
    Object.fromEntries(draw.some(names, 2).map((name) => [name, text(draw)]));
  return {
    ...(now(5) ? {} : { uri: uri(draw) }),
    ...(now(4) ? { ignoreUriCase: true } : {}),
    ...(now(4) ? { headers: named(HEADERS) } : {}),
    ...(now(5) ? { withoutHeaders: named(HEADERS) } : {}),
    ...(now(4) ? { queryParams: named(QUERIES) } : {}),
    ...(now(8) ? { method: { exact: draw.one(["GET", "POST"]) } } : {}),
    ...(now(10) ? { scheme: { exact: draw.one(["http", "https"]) } } : {}),
    ...(now(10)
      ? { authority: draw.one([{ prefix: "a" }, { exact: "a:80" }, { regex: ".*org" }]) }
      : {}),
    ...(now(10) ? { port: draw.one([80, 8080, 8443]) } : {}),
    ...(now(10) ? { gateways: [draw.one(["mesh", "default/web"])] } : {}),
    ...(now(10) ? { sourceLabels: { app: draw.one(["client", "stranger"]) } } : {}),
    ...(now(12) ? { sourceNamespace: draw.one(["default", "other"]) } : {}),
  };
}

function uri(draw: Draw): object {
  switch (draw.below(3)) {
    case 0:
      return { exact: draw.one(EXACTS) };
    case 1:
      return { prefix: draw.one(PREFIXES) };
    default:
      return { regex: draw.one(PATTERNS) };
  }
}

function text(draw: Draw): object {
  return draw.one([
    { exact: draw.one(VALUES) },
    { prefix: draw.one(["j", "v", ""]) },
    { regex: draw.one(["j.*", "v[12]", ".*", "(?i)JASON"]) },
    {},
  ]);
}

function rewriting(draw: Draw): object {
  const uris = [{ uri: "/" }, { uri: "/new" }, { uri: "/new/" }, { uri: "/with?query=1" }];
  const regexes = [
    { match: "^/x/(.*)$", rewrite: "/y/\\1" },
    { match: "[aeiou]", rewrite: "_\\0_" },
    { match: "/(\\w+)/(\\w+)", rewrite: "/\\2/\\1\\\\" },
    { match: "x*", rewrite: "-" },
  ];
  return {
    ...(draw.below(2) === 0 ? {} : { authority: "rewritten.example.org" }),
    ...(draw.below(2) === 0 ? draw.one(uris) : { uriRegexRewrite: draw.one(regexes) }),
  };
}

function redirect(draw: Draw): object {
  const now = (): boolean => draw.below(3) === 0;
  return {
    ...(now() ? { uri: draw.one(["/to", "/to?with=query"]) } : {}),
    ...(now() ? { prefixRewrite: draw.one(["/to", "/to/"]) } : {}),
    ...(now() ? { authority: draw.one(["to.example.org", "to.example.org:81"]) } : {}),
    ...(now() ? { scheme: draw.one(["http", "https"]) } : {}),
    ...(now()
      ? draw.one([{ port: 8443 }, { port: 80 }, { derivePort: "FROM_PROTOCOL_DEFAULT" }])
      : {}),
    ...(now() ? { redirectCode: draw.one([301, 302, 303, 307, 308]) } : {}),
  };
}

const SUBNETS = ["192.0.2.0/24", "192.0.2.101", "198.51.100.0/25", "198.51.100.7/32"];

export function randomTcpRule(draw: Draw): object {
  const one = (): object => ({
    ...(draw.below(2) === 0 ? { port: draw.one([9000, 9001, 9100, 443]) } : {}),
    ...(draw.below(3) === 0 ? { destinationSubnets: draw.some(SUBNETS, 2) } : {}),
  });
  const matches = Array.from({ length: draw.below(3) }, one);
  return { ...(matches.length === 0 ? {} : { match: matches }), route: destinations(draw, 2) };
}

const SERVER_NAMES = ["a.example.org", "*.example.org", "x.example.org", "y.wild.example.org"];

export function randomTlsRule(draw: Draw): object {
  const one = (): object => ({
    sniHosts: draw.some([...SERVER_NAMES, "a.default.svc.cluster.local", "a"], 2),
    ...(draw.below(3) === 0 ? { port: draw.one([443, 9443]) } : {}),
    ...(draw.below(4) === 0 ? { destinationSubnets: draw.some(SUBNETS, 1) } : {}),
  });
  return { match: Array.from({ length: 1 + draw.below(2) }, one), route: destinations(draw, 2) };
}
