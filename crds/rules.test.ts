import { describe, expect, test } from "@jest/globals";
import { load } from "js-yaml";
import { ruleProblems } from "#cluster/apiserver/cel/rules.ts";
import { customKinds } from "#cluster/apiserver/kinds/custom.ts";
import { structuralProblems } from "#cluster/apiserver/schema/structural.ts";
import { validate } from "#cluster/apiserver/schema/validate.ts";
import { loadCrds } from "./load.ts";

const crds = loadCrds();
const kinds = crds.flatMap((crd) => customKinds(crd as never));

/** What an API server would answer to an object with this spec. */
function problemsOf(kind: string, spec: string): string[] {
  const row = kinds.find((one) => one.kind === kind);
  if (row === undefined) throw new Error(`no kind ${kind}`);
  const object = { metadata: { name: "x" }, spec: load(spec) };
  const problems = validate(row.schema, object);
  const all = problems.length > 0 ? problems : ruleProblems(row.schema, object);
  return all.map(({ field, message }) => `${field}: ${message}`);
}

test("every schema is structural, with rules that compile", () => {
  for (const { spec, metadata } of crds) {
    for (const version of spec.versions) {
      const problems = structuralProblems(version.schema.openAPIV3Schema, metadata.name);
      expect(problems).toEqual([]);
    }
  }
});

describe("what can never work is refused with the field's path", () => {
  test.each([
    ["PeerAuthentication", "portLevelMtls: { 80: { mode: STRICT } }", "requires selector"],
    [
      "PeerAuthentication",
      "{ selector: { matchLabels: { app: x } }, portLevelMtls: { 70000: { mode: STRICT } } }",
      'spec.portLevelMtls: Invalid value: "object": port must be between 1-65535',
    ],
    [
      "PeerAuthentication",
      'selector: { matchLabels: { app: "a*" } }',
      'spec.selector.matchLabels.app: Invalid value: "string": wildcard not allowed',
    ],
    [
      "RequestAuthentication",
      "jwtRules: [{ issuer: a, jwks: x, jwksUri: https://example.org }]",
      "spec.jwtRules[0]: ",
    ],
    [
      "RequestAuthentication",
      "jwtRules: [{ issuer: a, jwksUri: ftp://example.org }]",
      'jwksUri: Invalid value: "string": url must have scheme http:// or https://',
    ],
    [
      "RequestAuthentication",
      "jwtRules: [{ issuer: a, timeout: 1us }]",
      "must be a valid duration greater than 1ms",
    ],
    [
      "AuthorizationPolicy",
      "rules: [{ from: [{ source: { serviceAccounts: [a/b], namespaces: [a] } }] }]",
      "spec.rules[0].from[0].source: ",
    ],
    [
      "AuthorizationPolicy",
      "{ selector: {}, targetRefs: [{ kind: Service, name: x }] }",
      "only one of targetRefs or selector can be set",
    ],
    ["WasmPlugin", "url: fake://example.org/x", "url must have schema one of"],
    [
      "WasmPlugin",
      "{ url: a, vmConfig: { env: [{ name: A, valueFrom: HOST, value: x }] } }",
      "value may only be set when valueFrom is INLINE",
    ],
    ["ServiceEntry", 'hosts: ["*"]', "hostname cannot be wildcard"],
    [
      "ServiceEntry",
      "{ hosts: [a.example.org], ports: [{ name: a, number: 1 }, { name: b, number: 1 }] }",
      "spec.ports: Invalid value",
    ],
    [
      "ServiceEntry",
      "{ hosts: [a.example.org], endpoints: [{ address: 192.0.2.1 }] }",
      "NONE mode",
    ],
    [
      "ServiceEntry",
      "{ hosts: [a.example.org], addresses: [192.0.2.0/24], resolution: DNS }",
      "CIDR addresses are allowed only",
    ],
    [
      "WorkloadGroup",
      "{ template: {}, probe: { tcpSocket: { port: 0 } } }",
      "spec.probe.tcpSocket",
    ],
    [
      "EnvoyFilter",
      "configPatches: [{ match: { context: WAYPOINT, listener: {} } }]",
      "only support waypointMatch when context is WAYPOINT",
    ],
    ["HTTPRoute", "parentRefs: [{ name: a }, { name: a }]", "must be unique when parentRefs"],
    ["HTTPRoute", "parentRefs: [{ name: a }, { name: a, port: 1 }]", "must be specified when"],
    ["HTTPRoute", "rules: [{ backendRefs: [{ name: a }] }]", "Must have port for Service"],
    ["HTTPRoute", "rules: [{ matches: [{ path: { value: a } }] }]", "start with '/'"],
    ["HTTPRoute", "rules: [{ filters: [{ type: CORS }] }]", "must be what filter.type says"],
    [
      "HTTPRoute",
      "rules: [{ matches: [{ path: { type: Exact, value: /a } }], filters: [{ type: URLRewrite, urlRewrite: { path: { type: ReplacePrefixMatch, replacePrefixMatch: / } } }] }]",
      "exactly one PathPrefix match",
    ],
    [
      "HTTPRoute",
      "rules: [{ timeouts: { request: 1s, backendRequest: 2s } }]",
      "cannot be longer than request timeout",
    ],
  ])("%s %s", (kind, spec, expected) => {
    expect(problemsOf(kind, spec).join("\n")).toContain(expected);
  });

  test.each([
    ["WasmPlugin", "{ url: oci://example.org/x:v1, pluginConfig: { any: [thing] } }"],
    ["WasmPlugin", "url: example.org/x:v1"],
    ["RequestAuthentication", "jwtRules: [{ issuer: a, timeout: 5s, jwksUri: https://a.b/c }]"],
    ["AuthorizationPolicy", "{ action: DENY, rules: [{ to: [{ operation: { paths: [/x] } }] }] }"],
    ["ServiceEntry", "{ hosts: [a.example.org], addresses: [192.0.2.0/24], resolution: STATIC }"],
    ["EnvoyFilter", "configPatches: [{ match: { context: GATEWAY, listener: {} } }]"],
    ["HTTPRoute", "parentRefs: [{ name: a, port: 1 }, { name: a, port: 2 }]"],
    ["HTTPRoute", "rules: [{ matches: [{ path: { type: Exact, value: /a } }] }, {}]"],
    [
      "HTTPRoute",
      "rules: [{ backendRefs: [{ group: networking.istio.io, kind: Hostname, name: a.b }] }]",
    ],
  ])("and what can, isn't: %s %s", (kind, spec) => {
    expect(problemsOf(kind, spec)).toEqual([]);
  });
});
