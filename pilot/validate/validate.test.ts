import { describe, expect, test } from "@jest/globals";
import { loadAll } from "js-yaml";
import { answerReview } from "./review.ts";
import { validateObject } from "./validate.ts";
import type { KubeObject } from "#cluster/api/meta.ts";
import type { Change } from "#pilot/model/change.ts";
import { createPushContext } from "#pilot/model/push-context.ts";
import type { PushContext } from "#pilot/model/push-context.ts";
import { Registry } from "#pilot/registry/registry.ts";

const WORLD = `
apiVersion: v1
kind: Service
metadata: { name: web, namespace: default }
spec: { clusterIP: 192.0.2.10, ports: [{ name: http, port: 80 }] }
---
apiVersion: v1
kind: Service
metadata: { name: db, namespace: default }
spec: { clusterIP: 192.0.2.11, ports: [{ name: tcp, port: 5432 }] }
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: web, namespace: default }
spec: { host: web, subsets: [{ name: v1, labels: { version: v1 } }] }
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: edge, namespace: default }
spec:
  selector: { istio: ingressgateway }
  servers: [{ port: { number: 80, name: http, protocol: HTTP }, hosts: ["*"] }]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: old, namespace: default, creationTimestamp: "2026-01-01T00:00:00Z" }
spec: { hosts: [taken], http: [{ route: [{ destination: { host: web } }] }] }
`;

function world(): PushContext {
  const registry = new Registry();
  const changes: Change[] = registry.initialChanges();
  for (const object of loadAll(WORLD) as KubeObject[]) {
    changes.push(...registry.handle({ type: "upsert", object }));
  }
  return createPushContext(changes);
}

const context = world();

function objectOf(kind: string, spec: string): KubeObject {
  const [parsed] = loadAll(spec);
  const apiVersion = "networking.istio.io/v1";
  return { apiVersion, kind, metadata: { name: "x", namespace: "default" }, spec: parsed };
}

function verdict(kind: string, spec: string): { errors: string[]; warnings: string[] } {
  const { errors, warnings } = validateObject(context, objectOf(kind, spec));
  const text = ({ path, reason }: { path: string; reason: string }): string => `${path} ${reason}`;
  return { errors: errors.map(text), warnings: warnings.map(text) };
}

describe("accepted without a word is", () => {
  test.each([
    ["VirtualService", "{ hosts: [web], http: [{ route: [{ destination: { host: web } }] }] }"],
    [
      "VirtualService",
      "{ hosts: [web], gateways: [edge], http: [{ route: [{ destination: { host: web, subset: v1 } }] }] }",
    ],
    [
      "VirtualService",
      "{ hosts: [web.example.org], gateways: [edge], http: [{ timeout: 1s, route: [{ destination: { host: web } }] }] }",
    ],
    ["VirtualService", "{ hosts: [db], tcp: [{ route: [{ destination: { host: db } }] }] }"],
    ["DestinationRule", "{ host: db, trafficPolicy: { loadBalancer: { simple: RANDOM } } }"],
    ["ServiceEntry", "{ hosts: [a.example.org], ports: [{ number: 80, name: http }] }"],
    ["Sidecar", "{ egress: [{ hosts: [./*] }] }"],
  ])("%s %s", (kind, spec) => {
    expect(verdict(kind, spec)).toEqual({ errors: [], warnings: [] });
  });
});

describe("refused is what can never work:", () => {
  test.each([
    ["VirtualService", "{ hosts: [web] }", "spec InvalidRules"],
    [
      "VirtualService",
      "{ hosts: [web], http: [{ redirect: { uri: /a }, route: [{ destination: { host: web } }] }] }",
      "spec.http[0] InvalidRule",
    ],
    [
      "VirtualService",
      "{ hosts: [web], http: [{ route: [{ destination: { host: web }, weight: 0 }, { destination: { host: web }, weight: 0 }] }] }",
      "spec.http[0].route InvalidWeights",
    ],
    [
      "VirtualService",
      '{ hosts: [web], http: [{ match: [{ uri: { regex: "(" } }], route: [{ destination: { host: web } }] }] }',
      "spec.http[0].match[0].uri.regex InvalidRegex",
    ],
    ["DestinationRule", "{ host: web, subsets: [{ name: a }, { name: a }] }", "DuplicateValue"],
    [
      "Gateway",
      "{ servers: [{ port: { number: 443, name: https, protocol: HTTPS }, hosts: [a.example.org] }] }",
      "spec.servers[0].tls InvalidTls",
    ],
    ["Sidecar", "{ egress: [{ hosts: [./*] }, { hosts: [a/*] }] }", "DuplicateListener"],
    [
      "VirtualService",
      `{ hosts: [web], http: [{ match: [${"{ port: 1 },".repeat(1000)}], route: [${"{ destination: { host: web } },".repeat(600)}] }] }`,
      "spec.http MalformedBySize",
    ],
  ])("%s %s", (kind, spec, expected) => {
    expect(verdict(kind, spec).errors.join("\n")).toContain(expected);
  });
});

describe("warned of is what has no effect now:", () => {
  test.each([
    [
      "VirtualService",
      "{ hosts: [web], http: [{ route: [{ destination: { host: nobody } }] }] }",
      "spec.http[0].route[0].destination.host UnknownHost",
    ],
    [
      "VirtualService",
      "{ hosts: [web], http: [{ route: [{ destination: { host: web, subset: v9 } }] }] }",
      "spec.http[0].route[0].destination.subset UnknownSubset",
    ],
    [
      "VirtualService",
      "{ hosts: [web], gateways: [none], http: [{ route: [{ destination: { host: web } }] }] }",
      "spec.gateways[0] UnknownGateway",
    ],
    [
      "VirtualService",
      "{ hosts: [a.example.org], gateways: [none], http: [{ route: [{ destination: { host: nobody } }] }] }",
      "spec.http[0].route[0].destination.host UnknownHost",
    ],
    [
      "VirtualService",
      "{ hosts: [taken], http: [{ route: [{ destination: { host: web } }] }] }",
      "spec.hosts[0] HostTaken",
    ],
    [
      "VirtualService",
      "{ hosts: [db], tcp: [{ route: [{ destination: { host: none } }] }] }",
      "spec.tcp[0].route[0].destination.host UnknownHost",
    ],
    ["DestinationRule", "{ host: none.example.org }", "spec.host UnknownHost"],
  ])("%s %s", (kind, spec, expected) => {
    const { errors, warnings } = verdict(kind, spec);
    expect(errors).toEqual([]);
    expect(warnings).toContain(expected);
  });

  test("what is too large to be tried", () => {
    const http = `{ match: [{ uri: { prefix: / } }], route: [{ destination: { host: web } }] }`;
    const spec = `{ hosts: [web], http: [${Array(20_000).fill(http).join()}] }`;
    expect(verdict("VirtualService", spec)).toEqual({ errors: [], warnings: [" NotTried"] });
  });

  test.each([
    ["parentRefs: [{ group: '', kind: Service, name: web }]", []],
    ["parentRefs: [{ name: gw }]", ["spec.parentRefs[0] NotServedYet"]],
    [
      "{ parentRefs: [{ group: '', kind: Service, name: web }], rules: [{ backendRefs: [{ name: none, port: 1 }] }] }",
      ["spec.rules BackendNotFound"],
    ],
    [
      "{ parentRefs: [{ group: '', kind: Service, name: web, port: 1 }], rules: [{ matches: [{ path: { type: RegularExpression, value: '(' } }] }] }",
      ["spec.rules[0].matches[0].path.value InvalidRegex", "spec.parentRefs[0] UnknownParent"],
    ],
  ])("an HTTPRoute's, and nothing of it is refused: %s", (spec, expected) => {
    const route = {
      ...objectOf("HTTPRoute", spec),
      apiVersion: "gateway.networking.k8s.io/v1",
    };
    const { errors, warnings } = validateObject(context, route);
    expect(errors).toEqual([]);
    expect(warnings.map(({ path, reason }) => `${path} ${reason}`)).toEqual(expected);
  });

  test("kinds that nothing here acts on", () => {
    const object = {
      ...objectOf("PeerAuthentication", "{ mtls: { mode: STRICT } }"),
      apiVersion: "security.istio.io/v1",
    };
    expect(validateObject(context, object).warnings).toMatchObject([{ reason: "NotSupportedYet" }]);
  });
});

describe("a review", () => {
  const review = (object: object, more = {}): unknown => ({
    apiVersion: "admission.k8s.io/v1",
    kind: "AdmissionReview",
    request: { uid: "1", operation: "CREATE", object, ...more },
  });
  const bad = objectOf("VirtualService", "{ hosts: [web] }");
  const options = { context, log: (line: string) => expect(line).toBe("") };

  test("of a bad object is refused with causes", () => {
    expect(answerReview(review(bad), options)).toMatchObject({
      ok: true,
      review: {
        response: {
          uid: "1",
          allowed: false,
          status: { code: 422, details: { causes: [{ field: "spec" }] } },
        },
      },
    });
  });

  test("of what is on its way out, a status or a deletion is none of ours", () => {
    const ending = { ...bad, metadata: { ...bad.metadata, deletionTimestamp: "2026-01-01" } };
    for (const one of [
      review(ending),
      review(bad, { subResource: "status" }),
      review(bad, { operation: "DELETE", object: null }),
    ]) {
      expect(answerReview(one, options)).toMatchObject({ review: { response: { allowed: true } } });
    }
  });

  test("lets in what it fails at, with a warning, and names it in the log", () => {
    const logged: string[] = [];
    const validate = (): never => {
      throw new Error("a bug");
    };
    const answer = answerReview(review(bad), {
      context,
      log: (line) => logged.push(line),
      validate,
    });
    expect(answer).toMatchObject({
      review: { response: { allowed: true, warnings: [expect.stringContaining("be checked")] } },
    });
    expect(logged.join()).toMatch(/"VirtualService default\/x" is let in .*a bug/);
  });

  test.each([null, {}, { apiVersion: "admission.k8s.io/v1" }, [], "x"])("is not %j", (body) => {
    expect(answerReview(body, options)).toMatchObject({ ok: false });
  });
});
