import { describe, expect, test } from "@jest/globals";
import { cellsOf, kindNamed, prepared, problemsOnCreate, problemsOnUpdate } from "./testing.ts";

const named = (name: string): object => ({
  metadata: { name, creationTimestamp: "2026-01-02T03:00:00Z" },
});

describe("Deployments", () => {
  const DEPLOYMENT = kindNamed("Deployment");
  const template = {
    metadata: { labels: { app: "web" } },
    spec: { containers: [{ name: "app", image: "example.org/app:1" }] },
  };
  const deployment = (spec: object): object => ({
    ...named("web"),
    spec: { selector: { matchLabels: { app: "web" } }, template, ...spec },
  });

  test("get Kubernetes' defaults", () => {
    expect(prepared(DEPLOYMENT, deployment({})).spec).toMatchObject({
      replicas: 1,
      revisionHistoryLimit: 10,
      progressDeadlineSeconds: 600,
      strategy: {
        type: "RollingUpdate",
        rollingUpdate: { maxUnavailable: "25%", maxSurge: "25%" },
      },
      template: {
        spec: { restartPolicy: "Always", containers: [{ imagePullPolicy: "IfNotPresent" }] },
      },
    });
    const recreate = prepared(DEPLOYMENT, deployment({ strategy: { type: "Recreate" } }));
    expect(recreate.spec).toMatchObject({ strategy: { type: "Recreate" } });
    expect(JSON.stringify(recreate.spec)).not.toContain("rollingUpdate");
  });

  test.each<[string, object, string]>([
    [
      "a selector that misses its own pods",
      deployment({ selector: { matchLabels: { app: "other" } } }),
      'spec.template.metadata.labels: Invalid value: {"app":"web"}: `selector` does not match template `labels`',
    ],
    [
      "an empty selector",
      deployment({ selector: {} }),
      "spec.selector: Invalid value: {}: empty selector is invalid for deployment",
    ],
    ["no selector", { ...named("web"), spec: { template } }, "spec.selector: Required value"],
    [
      "negative replicas",
      deployment({ replicas: -1 }),
      "spec.replicas: Invalid value: -1: must be greater than or equal to 0",
    ],
    [
      "a container without a name",
      deployment({ template: { ...template, spec: { containers: [{ image: "a" }] } } }),
      "spec.template.spec.containers[0].name: Required value",
    ],
    [
      "pods that don't restart",
      deployment({ template: { ...template, spec: { ...template.spec, restartPolicy: "Never" } } }),
      'spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"',
    ],
    [
      "a roll-out that cannot move",
      deployment({ strategy: { rollingUpdate: { maxSurge: 0, maxUnavailable: 0 } } }),
      "spec.strategy.rollingUpdate.maxUnavailable: Invalid value: 0: may not be 0 when `maxSurge` is 0",
    ],
    [
      "a step that is no percentage",
      deployment({ strategy: { rollingUpdate: { maxSurge: "lots" } } }),
      "spec.strategy.rollingUpdate.maxSurge: Invalid value: \"lots\": a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')",
    ],
  ])("with %s are refused", (_name, given, expected) => {
    expect(problemsOnCreate(DEPLOYMENT, given)).toContain(expected);
  });

  test("never change their selector", () => {
    const labels = { app: "web", more: "x" };
    const after = deployment({
      selector: { matchLabels: labels },
      template: { ...template, metadata: { labels } },
    });
    expect(problemsOnUpdate(DEPLOYMENT, deployment({}), after)).toEqual([
      'spec.selector: Invalid value: {"matchLabels":{"app":"web","more":"x"}}: field is immutable',
    ]);
  });

  test("print as kubectl expects", () => {
    const object = {
      ...deployment({ replicas: 3 }),
      status: { readyReplicas: 2, updatedReplicas: 3, availableReplicas: 1 },
    };
    expect(cellsOf(DEPLOYMENT, object)).toEqual({
      Name: "web",
      Ready: "2/3",
      "Up-to-date": 3,
      Available: 1,
      Age: "4m5s",
      Containers: "app",
      Images: "example.org/app:1",
      Selector: "app=web",
    });
  });
});

describe("Ingresses", () => {
  const INGRESS = kindNamed("Ingress");
  const backend = { service: { name: "web", port: { number: 80 } } };
  const ingress = (paths: object[], rest: object = {}): object => ({
    ...named("web"),
    spec: { rules: [{ host: "example.org", http: { paths } }], ...rest },
  });

  test("that are sound have no problems", () => {
    const sound = ingress([{ path: "/", pathType: "Prefix", backend }], {
      tls: [{ hosts: ["*.example.org"] }],
    });
    expect(problemsOnCreate(INGRESS, sound)).toEqual([]);
  });

  test.each<[string, object, string]>([
    [
      "nothing to route",
      { ...named("web"), spec: {} },
      "spec: Invalid value: {}: either `defaultBackend` or `rules` must be specified",
    ],
    [
      "no pathType",
      ingress([{ path: "/", backend }]),
      "spec.rules[0].http.paths[0].pathType: Required value",
    ],
    [
      "a relative path",
      ingress([{ path: "x", pathType: "Exact", backend }]),
      'spec.rules[0].http.paths[0].path: Invalid value: "x": must be an absolute path',
    ],
    [
      "a path with an escaped slash",
      ingress([{ path: "/a%2Fb", pathType: "Prefix", backend }]),
      "spec.rules[0].http.paths[0].path: Invalid value: \"/a%2Fb\": must not contain '%2F'",
    ],
    [
      "a backend without a port",
      ingress([{ path: "/", pathType: "Prefix", backend: { service: { name: "web" } } }]),
      "spec.rules[0].http.paths[0].backend.service.port: Required value: port name or number is required",
    ],
    [
      "an address as host",
      { ...named("web"), spec: { rules: [{ host: "192.0.2.1" }] } },
      'spec.rules[0].host: Invalid value: "192.0.2.1": must be a DNS name, not an IP address',
    ],
  ])("with %s are refused", (_name, given, expected) => {
    expect(problemsOnCreate(INGRESS, given)).toContain(expected);
  });

  test("print as kubectl expects", () => {
    const object = {
      ...ingress([], { ingressClassName: "istio", tls: [{}] }),
      status: { loadBalancer: { ingress: [{ ip: "198.51.100.1" }] } },
    };
    expect(cellsOf(INGRESS, object)).toMatchObject({
      Class: "istio",
      Hosts: "example.org",
      Address: "198.51.100.1",
      Ports: "80, 443",
    });
  });
});

describe("EndpointSlices", () => {
  const SLICE = kindNamed("EndpointSlice");

  test("print ports and addresses", () => {
    const object = {
      ...named("web-1"),
      addressType: "IPv4",
      endpoints: [{ addresses: ["192.0.2.1"] }, { addresses: ["192.0.2.2"] }],
      ports: [{ port: 80 }, {}],
    };
    expect(cellsOf(SLICE, object)).toMatchObject({
      AddressType: "IPv4",
      Ports: "80,*",
      Endpoints: "192.0.2.1,192.0.2.2",
    });
    expect(cellsOf(SLICE, { ...named("x"), addressType: "IPv4" })).toMatchObject({
      Ports: "<unset>",
      Endpoints: "<unset>",
    });
  });

  test("hold addresses of their type only", () => {
    const object = {
      ...named("a"),
      addressType: "IPv4",
      endpoints: [{ addresses: ["2001:db8::1"] }],
    };
    expect(problemsOnCreate(SLICE, object)).toEqual([
      'endpoints[0].addresses[0]: Invalid value: "2001:db8::1": must be an IPv4 address',
    ]);
  });
});

describe("MutatingWebhookConfigurations", () => {
  const WEBHOOKS = kindNamed("MutatingWebhookConfiguration");
  const webhook = {
    name: "inject.example.org",
    clientConfig: { service: { name: "a", namespace: "b" } },
    sideEffects: "None",
    admissionReviewVersions: ["v1"],
    rules: [{ operations: ["CREATE"], apiGroups: [""], apiVersions: ["v1"], resources: ["pods"] }],
  };

  test("get Kubernetes' defaults", () => {
    expect(prepared(WEBHOOKS, { ...named("a"), webhooks: [webhook] })).toMatchObject({
      webhooks: [
        {
          failurePolicy: "Fail",
          matchPolicy: "Equivalent",
          timeoutSeconds: 10,
          reinvocationPolicy: "Never",
          namespaceSelector: {},
          rules: [{ scope: "*" }],
          clientConfig: { service: { port: 443 } },
        },
      ],
    });
  });

  test.each<[object, string]>([
    [{ name: "inject" }, "should be a domain with at least three segments separated by dots"],
    [{ clientConfig: {} }, "exactly one of url or service is required"],
    [{ clientConfig: { url: "http://example.org" } }, "must be a URL that begins with https://"],
    [{ sideEffects: "Some" }, 'Unsupported value: "Some"'],
    [{ matchConditions: [{ name: "a", expression: "1 +" }] }, "compilation failed"],
    [{ matchConditions: [{ name: "a", expression: "authorizer.group('')" }] }, "Unknown variable"],
    [{ rules: [{ ...webhook.rules[0], operations: ["READ"] }] }, 'Unsupported value: "READ"'],
  ])("with %j are refused", (change, expected) => {
    const given = { ...named("a"), webhooks: [{ ...webhook, ...change }] };
    expect(problemsOnCreate(WEBHOOKS, given).join("\n")).toContain(expected);
  });
});
