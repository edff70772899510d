/** EnvoyFilter and Telemetry with the real Envoy: patches, discovered extensions, logs. */

import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { waitUntil } from "#cluster/client/testing/wait-until.ts";
import { findEnvoy } from "#test/golden/envoy-validate.ts";
import { type EnvoyProcess, startEnvoy } from "./envoy-process.ts";
import { type PilotWorld, startPilot } from "./pilot-world.ts";

const envoy = findEnvoy();
const ifEnvoy = envoy === undefined ? describe.skip : describe;
const LISTEN_PORT = 30_000 + (process.pid % 10_000);
const LUA = "type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua";

const world = (backend: number): string => `
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: web, namespace: default }
spec:
  selector: { istio: test }
  servers:
  - { port: { number: ${LISTEN_PORT}, name: http, protocol: HTTP }, hosts: ["*"] }
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: app, namespace: default }
spec:
  hosts: [app.example.org]
  ports: [{ number: 80, name: http, protocol: HTTP }]
  resolution: STATIC
  endpoints: [{ address: 127.0.0.1, ports: { http: ${backend} } }]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: app, namespace: default }
spec:
  hosts: [app.example.org]
  gateways: [web]
  http: [{ name: all, route: [{ destination: { host: app.example.org } }] }]
`;

const filter = (name: string, patches: string): string => `
apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata: { name: ${name}, namespace: default }
spec:
  configPatches:
${patches}`;

const insert = (value: string): string => `
  - applyTo: HTTP_FILTER
    match:
      context: GATEWAY
      listener:
        filterChain:
          filter:
            name: envoy.filters.network.http_connection_manager
            subFilter: { name: envoy.filters.http.router }
    patch: { operation: INSERT_BEFORE, value: ${value} }`;

const lua = (header: string, value: string): string =>
  JSON.stringify({
    "@type": LUA,
    default_source_code: {
      inline_string: `function envoy_on_response(handle) handle:headers():add("${header}", "${value}") end`,
    },
  });

const SCRIPT = filter("script", insert(`{ name: script, typed_config: ${lua("x-script", "1")} }`));

const discovered = (value: string): string =>
  filter(
    "discovered",
    `${insert(
      `{ name: shared, config_discovery: { config_source: { ads: {}, resource_api_version: V3 }, type_urls: [${LUA}] } }`,
    )}
  - applyTo: EXTENSION_CONFIG
    patch: { operation: ADD, value: { name: shared, typed_config: ${lua("x-shared", value)} } }`,
  );

ifEnvoy("a gateway", () => {
  const folder = mkdtempSync(path.join(tmpdir(), "lateen-filter-"));
  const log = path.join(folder, "access.json");
  let backend: http.Server;
  let pilot: PilotWorld;
  let proxy: EnvoyProcess;

  const call = (target = "/"): Promise<http.IncomingHttpHeaders> =>
    new Promise((resolve) => {
      const options = { port: LISTEN_PORT, host: "127.0.0.1", path: target, agent: false };
      const request = http.get({ ...options, headers: { host: "app.example.org" } }, (response) => {
        response.resume();
        resolve({ ...response.headers, ":status": String(response.statusCode) });
      });
      request.on("error", () => resolve({}));
    });

  beforeAll(async () => {
    backend = http.createServer((_, response) => response.end("ok"));
    await new Promise<void>((resolve) => backend.listen(0, "127.0.0.1", resolve));
    pilot = await startPilot(world((backend.address() as AddressInfo).port));
    proxy = startEnvoy(envoy ?? "", pilot.server.port);
    await waitUntil("it serves", async () => (await call())[":status"] === "200", 20_000);
  }, 30_000);

  afterAll(async () => {
    await proxy.stop();
    backend.close();
    await pilot.close();
    rmSync(folder, { recursive: true, force: true });
  });

  test("runs a filter that a patch inserts, until the patch goes", async () => {
    pilot.apply(SCRIPT);
    await waitUntil("the filter runs", async () => (await call())["x-script"] === "1");
    pilot.delete(SCRIPT);
    await waitUntil("it is gone", async () => {
      const headers = await call();
      return headers[":status"] === "200" && headers["x-script"] === undefined;
    });
    expect(pilot.rejections).toEqual([]);
  });

  test("gets the configuration of a filter by itself, and follows it", async () => {
    pilot.apply(discovered("one"));
    await waitUntil("the filter runs", async () => (await call())["x-shared"] === "one");
    pilot.apply(discovered("two"));
    await waitUntil("it has changed", async () => (await call())["x-shared"] === "two");
    const subscriptions = pilot.server.streams()[0]?.subscriptions ?? new Map();
    expect([...subscriptions.keys()]).toContain(
      "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig",
    );
    pilot.delete(discovered("two"));
    await waitUntil("it is gone", async () => (await call())["x-shared"] === undefined);
    expect(pilot.rejections).toEqual([]);
  });

  test("goes on without a patch that can't be made, whose filter is told", async () => {
    pilot.apply(filter("bad", insert("{ name: bad, typed_confg: {} }")));
    pilot.apply(SCRIPT);
    await waitUntil("the good one runs", async () => (await call())["x-script"] === "1");
    expect(pilot.pusher.problems()).toMatchObject([
      {
        object: "EnvoyFilter/default/bad",
        path: "spec.configPatches[0].patch.value.typed_confg",
        reason: "InvalidPatch",
      },
    ]);
  });

  test("blames the patch for a resource that it refuses, and serves as before", async () => {
    const code = '{ "@type": TYPE, default_source_code: { inline_string: "this is no Lua" } }';
    const config = code.replace("TYPE", `"${LUA}"`);
    pilot.apply(filter("wrong", insert(`{ name: wrong, typed_config: ${config} }`)));
    await waitUntil("it is refused", () => pilot.rejections.length > 0);
    const origins = pilot.rejections[0]?.resources.flatMap((one) => one.origins) ?? [];
    expect(origins).toContainEqual({
      object: "EnvoyFilter/default/wrong",
      path: "spec.configPatches[0]",
    });
    expect((await call())[":status"]).toBe("200");
    pilot.delete(filter("wrong", ""));
  });

  test("writes one line of JSON for what a Telemetry's expression selects", async () => {
    pilot.apply(`
apiVersion: v1
kind: ConfigMap
metadata: { name: istio, namespace: istio-system }
data:
  mesh: |
    extensionProviders:
    - name: json
      envoyFileAccessLog:
        path: ${log}
        logFormat: { labels: { path: "%REQ(:PATH)%", code: "%RESPONSE_CODE%" } }
---
apiVersion: telemetry.istio.io/v1
kind: Telemetry
metadata: { name: default, namespace: istio-system }
spec:
  accessLogging:
  - providers: [{ name: json }]
    filter: { expression: request.path.startsWith("/seen") }
`);
    await waitUntil(
      "a call is logged",
      async () => {
        await call("/ignored");
        await call("/seen");
        return existsSync(log) && readFileSync(log, "utf8").includes("\n");
      },
      20_000,
    );
    const lines = readFileSync(log, "utf8").trim().split("\n");
    expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual(
      lines.map(() => ({ path: "/seen", code: 200 })),
    );
  });
});
