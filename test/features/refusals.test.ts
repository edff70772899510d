/** What Envoy refuses and pilot can't know: it harms nothing else, and nobody who starts. */

import http from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { waitUntil } from "#cluster/client/testing/wait-until.ts";
import { refusalProblems } from "#pilot/status/refusals.ts";
import { findEnvoy } from "#test/golden/envoy-validate.ts";
import { GATEWAY, get, startEnvoy } from "./envoy-process.ts";
import type { ApiType, EnvoyProcess } from "./envoy-process.ts";
import { startPilot } from "./pilot-world.ts";
import type { PilotWorld } from "./pilot-world.ts";

const envoy = findEnvoy();
const ifEnvoy = envoy === undefined ? describe.skip : describe;
const LISTEN_PORT = 20_000 + (process.pid % 10_000);
const SERVICES = 1000;

const GATEWAY_OBJECT = `
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: web, namespace: default }
spec:
  selector: { istio: test }
  servers:
  - { port: { number: ${LISTEN_PORT}, name: http, protocol: HTTP }, hosts: ["*"] }
`;

const service = (index: number, backend: number): string => `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: s${index}, namespace: default }
spec:
  hosts: [s${index}.example.org]
  ports: [{ number: 80, name: http, protocol: HTTP }]
  resolution: STATIC
  endpoints: [{ address: 127.0.0.1, ports: { http: ${backend} } }]
`;

const rule = (index: number, generation: number): string => `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: s${index}, namespace: default }
spec:
  hosts: [s${index}.example.org]
  gateways: [web]
  http:
  - headers: { response: { set: { x-generation: "${generation}" } } }
    route: [{ destination: { host: s${index}.example.org } }]
`;

/** A cluster, a virtual host, a listener that Envoy refuses with the patch, and one that is all patch. */
const REFUSED = `
apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata: { name: refused, namespace: default }
spec:
  configPatches:
  - applyTo: CLUSTER
    match: { context: GATEWAY, cluster: { service: s500.example.org } }
    patch: { operation: MERGE, value: { connect_timeout: -1s } }
  - applyTo: VIRTUAL_HOST
    match: { context: GATEWAY, routeConfiguration: { vhost: { name: "s501.example.org:${LISTEN_PORT}" } } }
    patch:
      operation: MERGE
      value: { virtual_clusters: [{ name: x, headers: [{ name: ":path", string_match: { safe_regex: { regex: "(" } } }] }] }
  - applyTo: HTTP_FILTER
    match: { context: GATEWAY, listener: { filterChain: { filter: { name: envoy.filters.network.http_connection_manager } } } }
    patch:
      operation: INSERT_FIRST
      value:
        name: lua
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua
          default_source_code: { inline_string: this is no Lua }
  - applyTo: CLUSTER
    match: { context: GATEWAY }
    patch: { operation: ADD, value: { name: added, connect_timeout: -1s } }
`;

const all = (one: (index: number) => string): string =>
  Array.from({ length: SERVICES }, (_, index) => one(index)).join("---");

ifEnvoy.each<ApiType>(["DELTA_GRPC", "GRPC"])("a proxy that asks by %s", (apiType) => {
  let backend: http.Server;
  let pilot: PilotWorld;
  let proxy: EnvoyProcess;

  /** Generations of the rules by which these services are answered; nothing where they aren't. */
  const generations = (...services: number[]): Promise<unknown[]> =>
    Promise.all(
      services.map(async (index) => {
        const headers = { host: `s${index}.example.org` };
        const answer = await get({ port: LISTEN_PORT, headers }).catch(() => undefined);
        return answer?.status === 200 ? answer.headers["x-generation"] : undefined;
      }),
    );
  const waitForGeneration = (generation: number, ...services: number[]): Promise<void> =>
    waitUntil(
      `generation ${generation}`,
      async () => (await generations(...services)).every((one) => one === String(generation)),
      20_000,
    );
  const start = (): EnvoyProcess => startEnvoy(envoy ?? "", pilot.server.port, GATEWAY, apiType);

  beforeAll(async () => {
    backend = http.createServer((_, response) => response.end("ok"));
    await new Promise<void>((resolve) => backend.listen(0, "127.0.0.1", resolve));
    const { port } = backend.address() as AddressInfo;
    pilot = await startPilot(
      [GATEWAY_OBJECT, all((index) => service(index, port)), all((index) => rule(index, 1))].join(
        "---",
      ),
    );
    proxy = start();
    await waitForGeneration(1, 0, 500, 501, 999);
  }, 60_000);

  afterAll(async () => {
    await proxy.stop();
    backend.close();
    await pilot.close();
  });

  test("refuses four resources of thousands, and all others live at once", async () => {
    pilot.apply(`${REFUSED}---${all((index) => rule(index, 2))}`);
    await waitForGeneration(2, 0, 499, 500, 501, 999);
  }, 30_000);

  test("starts in spite of them, by what they are without the patches", async () => {
    await proxy.stop();
    proxy = start();
    await waitForGeneration(2, 0, 499, 500, 501, 999);
    expect(await proxy.admin("/ready")).toMatch(/^200 LIVE/);
    pilot.apply(rule(501, 3));
    await waitForGeneration(3, 501);
  }, 30_000);

  test("has the object told of each of them", async () => {
    const told = (): string[] =>
      refusalProblems(pilot.rejections).map(({ object, path, message }) => {
        expect(object).toBe("EnvoyFilter/default/refused");
        return `${path} ${message.endsWith("without patches instead")}`;
      });
    const wanted = [0, 1, 2, 3].map((at) => `spec.configPatches[${at}] ${at < 3}`);
    await waitUntil("all is refused", () => new Set(told()).size === wanted.length);
    expect([...new Set(told())].toSorted()).toEqual(wanted);
  });

  test("gets them patched when the patches are mended", async () => {
    const mended = REFUSED.replaceAll("-1s", "1s")
      .replace('"("', '"/x"')
      .replace(
        "this is no Lua",
        `'function envoy_on_response(h) h:headers():add("x-lua", "1") end'`,
      );
    pilot.apply(mended);
    const headers = { host: "s500.example.org" };
    await waitUntil("the patch runs", async () => {
      const answer = await get({ port: LISTEN_PORT, headers }).catch(() => undefined);
      return answer?.headers["x-lua"] === "1";
    });
    expect(await proxy.admin("/config_dump?resource=dynamic_active_clusters")).toContain("added");
  });
});
