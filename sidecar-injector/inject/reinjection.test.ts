import { describe, expect, test } from "@jest/globals";
import type { Container, PodSpec } from "#cluster/api/generated/core-v1.ts";
import { DEFAULT_CONFIG, type InjectorConfig } from "./config.ts";
import { inject } from "./inject.ts";
import type { PodInput } from "./pod-input.ts";
import { parseTemplate } from "./template.ts";

const APP: Container = {
  name: "app",
  image: "example.org/app",
  ports: [{ name: "http", containerPort: 8080 }],
  livenessProbe: { httpGet: { path: "/live", port: "http", scheme: "HTTPS" }, periodSeconds: 3 },
  readinessProbe: { tcpSocket: { port: 9000 } },
  startupProbe: { grpc: { port: 9001 }, timeoutSeconds: 2 },
  lifecycle: { preStop: { httpGet: { path: "/bye?$(HOME)", port: 8080 } } },
};
const AUTHORED: Container = {
  name: "istio-proxy",
  image: "auto",
  env: [{ name: "A", value: "1" }],
};

function pod(spec: Partial<PodSpec>, annotations: Record<string, string> = {}): PodInput {
  return { metadata: { name: "hello", annotations }, spec: { containers: [APP], ...spec } };
}

const TEMPLATE = parseTemplate(`
metadata: { labels: { team: "\${labels.team|none}" } }
spec:
  containers: [{ name: helper, image: "\${proxy.image}" }]
  volumes: [{ name: extra, emptyDir: {} }]
`);

const CONFIG: InjectorConfig = {
  ...DEFAULT_CONFIG,
  imagePullSecrets: ["pull"],
  dnsSearches: ["global"],
  templates: TEMPLATE.ok ? { team: TEMPLATE.template } : {},
};

const PODS: [string, PodInput][] = [
  ["an app with every probe", pod({})],
  ["a classic sidecar", pod({}, { "sidecar.istio.io/nativeSidecar": "false" })],
  [
    "a classic sidecar that holds the app",
    pod(
      {},
      {
        "sidecar.istio.io/nativeSidecar": "false",
        "proxy.istio.io/config": "holdApplicationUntilProxyStarts: true",
      },
    ),
  ],
  ["a proxy with fields of its author", pod({ containers: [APP, AUTHORED] })],
  [
    "an init container that the author replaces",
    pod({ initContainers: [{ name: "istio-init", image: "example.org/init", args: ["x"] }] }),
  ],
  [
    "an app with metrics",
    pod({}, { "prometheus.io/scrape": "true", "prometheus.io/port": "8080" }),
  ],
  ["metrics under another spelling", pod({}, { "prometheus.io.path": "/m" })],
  ["an own template", pod({}, { "inject.istio.io/templates": "sidecar,team" })],
  ["an own template alone", pod({}, { "inject.istio.io/templates": "team" })],
  ["a gateway", pod({ containers: [AUTHORED] }, { "inject.istio.io/templates": "gateway" })],
  ["volumes of its own", pod({ volumes: [{ name: "data", emptyDir: {} }] })],
  ["init containers of its own", pod({ initContainers: [{ name: "i", image: "example.org/i" }] })],
];

function once(input: PodInput, config = CONFIG): PodInput {
  const result = inject(input, { namespace: "default", config });
  if (result.kind !== "injected") throw new Error(JSON.stringify(result));
  return result.pod;
}

describe("injecting again", () => {
  test.each(PODS)("%s: changes nothing", (_name, input) => {
    const first = once(input);
    const second = inject(first, { namespace: "default", config: CONFIG });
    expect(second).toMatchObject({ kind: "injected", pod: first });
  });

  test.each(PODS)("%s: with other settings gives what these settings give", (_name, input) => {
    const other: InjectorConfig = {
      ...CONFIG,
      nativeSidecar: false,
      rewriteProbes: false,
      prometheusMerge: false,
      imagePullSecrets: [],
      rootCa: { kind: "inline", pem: "PEM" },
      proxyImage: "example.org/proxy:2",
    };
    const { containers = [], initContainers, volumes } = once(once(input), other).spec ?? {};
    const wanted = once(input, other).spec;
    const names = (list: readonly Container[] = []): string[] => list.map(({ name }) => name);
    expect(names(containers)).toEqual(names(wanted?.containers));
    expect(names(initContainers)).toEqual(names(wanted?.initContainers));
    expect(volumes ?? []).toEqual(wanted?.volumes ?? []);
    // Names of ports have become numbers, which mean the same.
    const app = (list: readonly Container[] = []): string =>
      JSON.stringify(list.filter(({ name }) => name === "app")).replaceAll('"http"', "8080");
    expect(JSON.parse(app(containers))).toEqual(JSON.parse(app(wanted?.containers)));
  });

  test("a status that was copied from another pod removes nothing", () => {
    const status = '{"containers":["istio-proxy"],"volumes":["istiod-ca-cert"]}';
    const input = pod({ containers: [APP, AUTHORED] }, { "sidecar.istio.io/status": status });
    const env = once(input).spec?.initContainers?.find(({ name }) => name === "istio-proxy")?.env;
    expect(env?.map(({ name }) => name)).toContain("A");
  });

  test.each(["{", "[]", '{"containers":7}', "null"])("a status %s is no harm", (status) => {
    expect(() => once(pod({}, { "sidecar.istio.io/status": status }))).not.toThrow();
    expect(() => once(pod({}, { "proxy.istio.io/overrides": status }))).not.toThrow();
  });
});
