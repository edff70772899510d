import { expect, test } from "@jest/globals";
import { DEFAULT_MESH } from "#pilot/model/mesh-config.ts";
import { parseMeshConfig } from "./mesh-config.ts";

const parse = (text: string): ReturnType<typeof parseMeshConfig> =>
  parseMeshConfig(text, DEFAULT_MESH);

test("providers of logs and traces are read, and the built-in ones stay", () => {
  const { mesh, problems } = parse(`
extensionProviders:
  - name: json
    envoyFileAccessLog: { path: /dev/stdout, logFormat: { labels: { code: "%RESPONSE_CODE%" } } }
  - name: otel
    opentelemetry: { service: otel.default.svc.cluster.local, port: 4317, grpc: { timeout: 3s } }
  - name: authz
    envoyExtAuthzGrpc: { service: authz.default.svc.cluster.local, port: 9000 }
defaultProviders: { accessLogging: [json], tracing: [otel] }
`);
  expect(problems).toEqual([]);
  expect(mesh.extensionProviders.map(({ name, kind }) => [name, kind])).toEqual([
    ["json", "file-log"],
    ["otel", "opentelemetry"],
    ["authz", "other"],
    ["prometheus", "other"],
    ["stackdriver", "other"],
    ["envoy", "file-log"],
  ]);
  expect(mesh.defaultProviders).toEqual({
    accessLogging: ["json"],
    tracing: ["otel"],
    metrics: [],
  });
});

test.each([
  ["[{ zipkin: { service: x, port: 1 } }]", "extensionProviders[0].name"],
  ["[{ name: a, zipkin: { port: 1 } }]", "extensionProviders[0].zipkin.service"],
  ["[{ name: a, zipkin: { service: x, port: 99999 } }]", "extensionProviders[0].zipkin.port"],
  ["[{ name: a, lightstep: {} }]", "extensionProviders[0].lightstep"],
  [
    "[{ name: a, zipkin: { service: x, port: 1, headers: [] } }]",
    "extensionProviders[0].zipkin.headers",
  ],
  ["[{ name: a }]", "extensionProviders[0]"],
])("providers %s: a problem at %s, and the provider isn't there", (text, path) => {
  const { mesh, problems } = parse(`extensionProviders: ${text}`);
  expect(problems.map((one) => one.path)).toEqual([path]);
  expect(mesh.extensionProviders).toEqual(DEFAULT_MESH.extensionProviders);
});

test("a JSON format of logs that is none is told", () => {
  const { problems } = parse('accessLogEncoding: JSON\naccessLogFormat: "%PROTOCOL%"\n');
  expect(problems.map((one) => one.path)).toEqual(["accessLogFormat"]);
  expect(parse('accessLogEncoding: JSON\naccessLogFormat: "{}"\n').problems).toEqual([]);
});

test("settings without an effect are told as such, those of other parts of the mesh are not", () => {
  const { problems } = parse("proxyHttpPort: 15002\nnonsense: 1\ningressClass: istio\n");
  expect(problems).toMatchObject([
    { path: "proxyHttpPort", severity: "warning", message: expect.stringContaining("no effect") },
    { path: "nonsense", severity: "warning", message: "is not a setting of the mesh" },
  ]);
});

test("paths, sampling and the log of listeners", () => {
  const { mesh } = parse(`
pathNormalization: { normalization: MERGE_SLASHES }
disableEnvoyListenerLog: true
defaultConfig: { tracing: { sampling: 50, maxPathTagLength: 99 } }
`);
  expect(mesh.pathNormalization).toBe("MERGE_SLASHES");
  expect(mesh.listenerLog).toBe(false);
  expect(mesh.tracing).toEqual({ enabled: true, samplingPercent: 50, maxTagLength: 99 });
  expect(parse("pathNormalization: { normalization: x }").problems).toHaveLength(1);
});
