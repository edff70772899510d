import { describe, expect, test } from "@jest/globals";
import type { HTTPRouteRule, HTTPRouteSpec } from "#crds/types/networking-v1.ts";
import { mergeParts } from "./http-route-merge.ts";
import type { RouteLookup } from "./http-route-parent.ts";
import { type HttpRoute, translateHttpRoute } from "./http-route.ts";

const LOOKUP: RouteLookup = {
  clusterDomain: "cluster.local",
  servicePorts: (namespace, name) =>
    namespace === "default" && ["web", "api"].includes(name)
      ? [
          { name: "http", number: 80 },
          { name: "admin", number: 8080 },
        ]
      : undefined,
  serviceEntry: (_namespace, name) =>
    name === "far"
      ? { hosts: ["a.example.org", "b.example.org"], ports: [{ name: "http", number: 80 }] }
      : undefined,
  isHost: (host) => host === "a.example.org",
};

const WEB = { group: "", kind: "Service", name: "web" };
const BACKEND = { name: "api", port: 80 };

function route(spec: HTTPRouteSpec, more: object = {}): HttpRoute {
  const metadata = { name: "r", namespace: "default", creationTimestamp: "2026-01-01T00:00:00Z" };
  return { metadata: { ...metadata, ...more }, spec: { parentRefs: [WEB], ...spec } };
}

/** The one rule that a rule becomes. */
function ruleOf(rule: HTTPRouteRule) {
  const { parts, problems } = translateHttpRoute(route({ rules: [rule] }), LOOKUP);
  const { name: _name, ...made } = mergeParts(parts).spec.http?.[0] ?? {};
  return { made, problems, parts };
}

const TO_API = {
  destination: { host: "api.default.svc.cluster.local", port: { number: 80 } },
  weight: 1,
};

describe("what a route is attached to", () => {
  test.each([
    ["a Service", WEB, ["default/web.default.svc.cluster.local"]],
    ["a port", { ...WEB, port: 8080 }, ["default/8080/web.default.svc.cluster.local"]],
    [
      "a port's name",
      { ...WEB, sectionName: "http" },
      ["default/80/web.default.svc.cluster.local"],
    ],
    [
      "a ServiceEntry",
      { group: "networking.istio.io", kind: "ServiceEntry", name: "far" },
      ["default/a.example.org", "default/b.example.org"],
    ],
    ["something foreign", { group: "example.org", kind: "Thing", name: "x" }, []],
  ])("is %s", (_what, parentRef, keys) => {
    const { parts, problems } = translateHttpRoute(route({ parentRefs: [parentRef] }), LOOKUP);
    expect(parts.map(({ key }) => key)).toEqual(keys);
    expect(problems).toEqual([]);
  });

  test.each([
    ["no such Service", { ...WEB, name: "none" }, "NoMatchingParent"],
    ["no such port", { ...WEB, port: 81 }, "NoMatchingParent"],
    ["a Gateway", { name: "gw" }, "UnsupportedValue"],
  ])("or nothing, and is told so: %s", (_what, parentRef, reason) => {
    const { parts, parents, problems } = translateHttpRoute(
      route({ parentRefs: [parentRef] }),
      LOOKUP,
    );
    expect(parts).toEqual([]);
    expect(parents.map(({ denied }) => denied?.reason)).toEqual([reason]);
    expect(problems.map(({ path }) => path)).toEqual(["spec.parentRefs[0]"]);
  });

  test("is nobody's business here where another controller answers for the Gateway", () => {
    const parentRef = { name: "gw" };
    const status = { parents: [{ controllerName: "example.org/x", parentRef, conditions: [] }] };
    const made = translateHttpRoute({ ...route({ parentRefs: [parentRef] }), status }, LOOKUP);
    expect(made).toEqual({ parts: [], parents: [], problems: [] });
  });
});

describe("matches", () => {
  test.each([
    [{ path: { type: "PathPrefix", value: "/a/" } }, { uri: { prefix: "/a" } }],
    [{ path: { type: "Exact", value: "/a/" } }, { uri: { exact: "/a/" } }],
    [{ path: { type: "RegularExpression", value: "/a.*" } }, { uri: { regex: "/a.*" } }],
    [{ method: "GET" }, { uri: { prefix: "/" }, method: { exact: "GET" } }],
    [
      {
        headers: [
          { name: "X-A", value: "1" },
          { name: "x-a", value: "2" },
        ],
      },
      { uri: { prefix: "/" }, headers: { "x-a": { exact: "1" } } },
    ],
    [
      { queryParams: [{ name: "q", type: "RegularExpression", value: "1+" }] },
      { uri: { prefix: "/" }, queryParams: { q: { regex: "1+" } } },
    ],
  ] as const)("%j", (match, expected) => {
    const { made } = ruleOf({ matches: [structuredClone(match) as never], backendRefs: [BACKEND] });
    expect(made.match).toEqual([expected]);
  });
});

test("a match with a pattern that nobody can read takes nothing", () => {
  const { parts, problems } = ruleOf({
    matches: [{ path: { type: "RegularExpression", value: "/(" } }],
    backendRefs: [BACKEND],
  });
  expect(mergeParts(parts).spec.http).toEqual([]);
  expect(problems.map(({ path, reason }) => [path, reason])).toEqual([
    ["spec.rules[0].matches[0].path.value", "InvalidRegex"],
  ]);
});

describe("filters", () => {
  test.each([
    [
      {
        type: "RequestHeaderModifier",
        requestHeaderModifier: { add: [{ name: "X-A", value: "1" }], remove: ["x-b"] },
      },
      { headers: { request: { add: { "x-a": "1" }, remove: ["x-b"] } } },
    ],
    [
      {
        type: "ResponseHeaderModifier",
        responseHeaderModifier: { set: [{ name: "a", value: "1" }] },
      },
      { headers: { response: { set: { a: "1" } } } },
    ],
    [
      {
        type: "URLRewrite",
        urlRewrite: { path: { type: "ReplaceFullPath", replaceFullPath: "/n" } },
      },
      { rewrite: { uriRegexRewrite: { match: "/.*", rewrite: "/n" } } },
    ],
    [
      {
        type: "URLRewrite",
        urlRewrite: {
          hostname: "x.example.org",
          path: { type: "ReplacePrefixMatch", replacePrefixMatch: "/n/" },
        },
      },
      { rewrite: { authority: "x.example.org", uri: "/n" } },
    ],
    [
      {
        type: "URLRewrite",
        urlRewrite: { path: { type: "ReplacePrefixMatch", replacePrefixMatch: "/" } },
      },
      { rewrite: { uriRegexRewrite: { match: String.raw`^/a\.b(/?)(.*)`, rewrite: "/\\2" } } },
    ],
    [
      {
        type: "RequestMirror",
        requestMirror: { backendRef: BACKEND, fraction: { numerator: 1, denominator: 8 } },
      },
      { mirrors: [{ destination: TO_API.destination, percentage: { value: 12.5 } }] },
    ],
    [
      { type: "CORS", cors: { allowOrigins: ["https://*.example.org"], maxAge: 9 } },
      {
        corsPolicy: {
          allowOrigins: [{ regex: String.raw`^https://.*\.example\.org$` }],
          maxAge: "9s",
          unmatchedPreflights: "IGNORE",
        },
      },
    ],
  ] as const)("%j", (filter, expected) => {
    const { made, problems } = ruleOf({
      matches: [{ path: { value: "/a.b" } }],
      filters: [structuredClone(filter) as never],
      backendRefs: [BACKEND],
    });
    expect(problems).toEqual([]);
    expect(made).toEqual({ match: [{ uri: { prefix: "/a.b" } }], route: [TO_API], ...expected });
  });

  test("a redirect of a prefix to one that ends a segment makes no double slash", () => {
    const path = { type: "ReplacePrefixMatch", replacePrefixMatch: "/" } as const;
    const { parts } = ruleOf({
      matches: [{ path: { value: "/a" } }],
      filters: [{ type: "RequestRedirect", requestRedirect: { path } }],
    });
    const redirect = { redirectCode: 302, derivePort: "FROM_REQUEST_PORT" };
    expect(mergeParts(parts).spec.http).toEqual([
      {
        name: "default.r.0",
        match: [{ uri: { exact: "/a" } }],
        redirect: { ...redirect, uri: "/" },
      },
      {
        name: "default.r.0",
        match: [{ uri: { prefix: "/a/" } }],
        redirect: { ...redirect, prefixRewrite: "/" },
      },
    ]);
  });

  test.each([
    [{ filters: [{ type: "ExtensionRef" as const }], backendRefs: [BACKEND] }, "filters[0]"],
    [
      { backendRefs: [{ ...BACKEND, filters: [{ type: "CORS" as const, cors: {} }] }] },
      "backendRefs[0].filters[0]",
    ],
  ])("that nobody here knows answer 500: %j", (rule, path) => {
    const { made, problems, parts } = ruleOf(rule);
    expect(made.directResponse).toEqual({ status: 500 });
    expect(problems.map((one) => [one.path, one.reason])).toEqual([
      [`spec.rules[0].${path}`, "InvalidFilter"],
    ]);
    expect(parts).toHaveLength(1);
  });
});

describe("backends", () => {
  const unresolved = (rule: HTTPRouteRule) =>
    translateHttpRoute(route({ rules: [rule] }), LOOKUP).parents[0]?.unresolved?.reason;

  test.each([
    ["none", []],
    ["none with a weight", [{ ...BACKEND, weight: 0 }]],
  ])("%s answer 500", (_what, backendRefs) => {
    expect(ruleOf({ backendRefs }).made.directResponse).toEqual({ status: 500 });
  });

  test.each([
    [{ name: "none", port: 80 }, "none.default.svc.cluster.local", "BackendNotFound"],
    [{ name: "api" }, "nowhere.invalid", "InvalidDestination"],
    [{ group: "x", kind: "Y", name: "api", port: 80 }, "nowhere.invalid", "InvalidKind"],
    [
      { group: "networking.istio.io", kind: "Hostname", name: "a.example.org", port: 80 },
      "a.example.org",
      undefined,
    ],
  ])("%j keep their share", (ref, host, reason) => {
    const rule = { backendRefs: [{ ...BACKEND, weight: 3 }, ref] };
    expect(ruleOf(rule).made.route?.map((one) => [one.destination.host, one.weight])).toEqual([
      ["api.default.svc.cluster.local", 3],
      [host, 1],
    ]);
    expect(unresolved(rule)).toBe(reason);
  });
});

test.each([
  [{ timeouts: { request: "10s", backendRequest: "2s" } }, { timeout: "2s" }],
  [{ timeouts: { request: "0s" } }, {}],
  [
    { timeouts: { request: "10s", backendRequest: "2s" }, retry: { codes: [503], backoff: "1s" } },
    {
      timeout: "10s",
      retries: {
        attempts: 2,
        retryOn: "connect-failure,refused-stream,unavailable,cancelled,503",
        perTryTimeout: "2s",
        backoff: "1s",
      },
    },
  ],
])("times: %j", (rule, expected) => {
  const { made } = ruleOf({ ...rule, backendRefs: [BACKEND] });
  expect(made).toEqual({ match: [{ uri: { prefix: "/" } }], route: [TO_API], ...expected });
});

describe("several routes of one host", () => {
  const matches = (...values: string[]): HTTPRouteRule => ({
    matches: values.map((value) => ({ path: { value } })),
    backendRefs: [BACKEND],
  });
  const old = route({ rules: [matches("/a", "/")] }, { name: "old" });
  const young = route(
    { rules: [matches("/a", "/a/b")], parentRefs: [{ ...WEB, namespace: "default" }] },
    { name: "young", creationTimestamp: "2026-01-02T00:00:00Z" },
  );

  test.each([
    ["in order", [old, young]],
    ["turned round", [young, old]],
  ])("are one VirtualService, %s: the most specific first, then the oldest", (_order, routes) => {
    const parts = routes.flatMap((one) => [...translateHttpRoute(one, LOOKUP).parts]);
    const made = mergeParts(parts);
    expect(made.name).toBe("default~web.default.svc.cluster.local");
    expect(made.creationTimestamp).toBe("2026-01-01T00:00:00Z");
    expect(
      made.spec.http?.map(({ match }, at) => [
        match?.[0]?.uri?.prefix,
        made.attachment?.rules[at]?.object,
        made.attachment?.rules[at]?.parts["match[0]"],
      ]),
    ).toEqual([
      ["/a/b", "HTTPRoute/default/young", "spec.rules[0].matches[1]"],
      ["/a", "HTTPRoute/default/old", "spec.rules[0].matches[0]"],
      ["/a", "HTTPRoute/default/young", "spec.rules[0].matches[0]"],
      ["/", "HTTPRoute/default/old", "spec.rules[0].matches[1]"],
    ]);
  });
});
