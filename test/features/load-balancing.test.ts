/** Where requests go by a DestinationRule, asked of the real Envoy on our ADS. */

import http from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { waitUntil } from "#cluster/client/testing/wait-until.ts";
import { findEnvoy } from "#test/golden/envoy-validate.ts";
import { type Answer, type EnvoyProcess, GATEWAY, get, startEnvoy } from "./envoy-process.ts";
import { type PilotWorld, startPilot } from "./pilot-world.ts";

const envoy = findEnvoy();
const ifEnvoy = envoy === undefined ? describe.skip : describe;
const LISTEN_PORT = 20_000 + (process.pid % 10_000);
const PLACES = ["north/a", "north/b", "south/c"];

const world = (ports: readonly number[]): string => `
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
  location: MESH_INTERNAL
  resolution: STATIC
  endpoints:
${PLACES.map((place, at) => `  - { address: 127.0.0.1, ports: { http: ${ports[at]} }, locality: ${place} }`).join("\n")}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: app, namespace: default }
spec:
  hosts: [app.example.org]
  gateways: [web]
  http:
  - retries: { attempts: 0 }
    route: [{ destination: { host: app.example.org } }]
`;

const rule = (policy: string): string => `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: app, namespace: default }
spec:
  host: app.example.org
  trafficPolicy: ${policy}
`;

ifEnvoy("Envoy with a DestinationRule", () => {
  const backends: http.Server[] = [];
  const failing = new Set<string>();
  let pilot: PilotWorld;
  let proxy: EnvoyProcess;

  const call = (headers: Record<string, string> = {}): Promise<Answer> =>
    get({ port: LISTEN_PORT, headers: { host: "app.example.org", ...headers } });
  /** Places that answer a number of calls. */
  const placesOf = async (count: number): Promise<Set<string>> => {
    const seen = new Set<string>();
    for (let at = 0; at < count; at++) seen.add((await call()).body);
    return seen;
  };
  const until = (what: string, ...places: string[]): Promise<void> =>
    waitUntil(
      what,
      async () => [...(await placesOf(6))].toSorted().join() === places.join(),
      20_000,
    );

  beforeAll(async () => {
    for (const place of PLACES) {
      const backend = http.createServer((_, response) => {
        response.statusCode = failing.has(place) ? 500 : 200;
        response.end(place);
      });
      await new Promise<void>((resolve) => backend.listen(0, "127.0.0.1", resolve));
      backends.push(backend);
    }
    const ports = backends.map((backend) => (backend.address() as AddressInfo).port);
    pilot = await startPilot(world(ports));
    const node = { ...GATEWAY, locality: { region: "north", zone: "a" } };
    proxy = startEnvoy(envoy ?? "", pilot.server.port, node);
    const serves = async (): Promise<boolean> => (await call()).status === 200;
    await waitUntil("it serves", () => serves().catch(() => false), 20_000);
  }, 30_000);

  afterAll(async () => {
    await proxy.stop();
    for (const backend of backends) backend.close();
    await pilot.close();
  });

  test("fails over to the next zone, then to another region, and comes back", async () => {
    const outliers = "consecutive5xxErrors: 1, interval: 50ms, baseEjectionTime: 2s";
    pilot.apply(rule(`{ outlierDetection: { ${outliers}, maxEjectionPercent: 100 } }`));
    await until("its own zone has it all", "north/a");
    failing.add("north/a");
    // Envoy tells its workers of changes in health once a second; an ejection ends by itself.
    const reaches = (place: string): Promise<void> =>
      waitUntil(`${place} answers`, async () => (await call()).body === place, 20_000);
    await reaches("north/b");
    failing.add("north/b");
    await reaches("south/c");
    failing.clear();
    await until("its own zone has it all again", "north/a");
  }, 60_000);

  test("shares traffic among places as it is told", async () => {
    const shares = "{ from: north/*, to: { north/b: 50, south/*: 50 } }";
    pilot.apply(rule(`{ loadBalancer: { localityLbSetting: { distribute: [${shares}] } } }`));
    await until("both places get their share", "north/b", "south/c");
    const all = '{ from: north/a, to: { "south/*": 100 } }';
    pilot.apply(rule(`{ loadBalancer: { localityLbSetting: { distribute: [${all}] } } }`));
    await until("the other region has it all", "south/c");
  }, 60_000);

  test("sends what hashes the same to the same endpoint", async () => {
    pilot.apply(rule("{ loadBalancer: { consistentHash: { httpHeaderName: X-User } } }"));
    const users = Array.from({ length: 48 }, (_none, at) => `user-${at}`);
    const placesOfUsers = async (): Promise<string[]> => {
      const places: string[] = [];
      for (const user of users) places.push((await call({ "x-user": user })).body);
      return places;
    };
    await waitUntil("it sticks", async () => {
      const first = await placesOfUsers();
      const again = await placesOfUsers();
      return new Set(first).size === PLACES.length && first.join() === again.join();
    });
    const sticking = await placesOfUsers();
    expect(await placesOfUsers()).toEqual(sticking);
  }, 60_000);

  test("gives clients without the cookie one, with the attributes that are asked for", async () => {
    const cookie = "name: user, path: /, ttl: 60s, attributes: [{ name: SameSite, value: Strict }]";
    pilot.apply(rule(`{ loadBalancer: { consistentHash: { httpCookie: { ${cookie} } } } }`));
    let first: Answer | undefined;
    await waitUntil("a cookie comes", async () => {
      first = await call();
      return first.headers["set-cookie"] !== undefined;
    });
    const [made = ""] = first?.headers["set-cookie"] ?? [];
    expect(made).toMatch(/^user=.*Max-Age=60.*SameSite=Strict/);
    const [pair = ""] = made.split(";");
    for (let again = 0; again < 6; again++) {
      expect((await call({ cookie: pair })).body).toBe(first?.body);
    }
  }, 60_000);

  test("refuses nothing of it", () => {
    expect(pilot.rejections).toEqual([]);
    expect(proxy.output()).not.toMatch(/\[(error|critical)\]/);
  });
});
