/** The real Envoy on our ADS: what it holds is what was sent, and it serves by it. */

import http from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { waitUntil } from "#cluster/client/testing/wait-until.ts";
import { findEnvoy } from "#test/golden/envoy-validate.ts";
import { type EnvoyProcess, get, startEnvoy } from "./envoy-process.ts";
import { startPilot } from "./pilot-world.ts";
import type { PilotWorld } from "./pilot-world.ts";

const envoy = findEnvoy();
const ifEnvoy = envoy === undefined ? describe.skip : describe;
const LISTEN_PORT = 20_000 + (process.pid % 10_000);

/** A gateway, because its listener takes plain connections on loopback without any redirection. */
const world = (weight: number, ports: readonly [number, number]): string => `
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
  - { address: 127.0.0.1, ports: { http: ${ports[0]} }, labels: { version: v1 } }
  - { address: 127.0.0.1, ports: { http: ${ports[1]} }, labels: { version: v2 } }
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: app, namespace: default }
spec:
  host: app.example.org
  subsets: [{ name: v1, labels: { version: v1 } }, { name: v2, labels: { version: v2 } }]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: app, namespace: default }
spec:
  hosts: [app.example.org]
  gateways: [web]
  http:
  - route:
    - { destination: { host: app.example.org, subset: v1 }, weight: ${weight} }
    - { destination: { host: app.example.org, subset: v2 }, weight: ${100 - weight} }
`;

ifEnvoy("Envoy on our ADS", () => {
  const backends: http.Server[] = [];
  const ports: number[] = [];
  let pilot: PilotWorld;
  let proxy: EnvoyProcess;

  const apply = (weight: number): void => pilot.apply(world(weight, [ports[0]!, ports[1]!]));
  const call = (): Promise<string> =>
    get({ port: LISTEN_PORT, headers: { host: "app.example.org" } })
      .then(({ status, body }) => `${status} ${body}`)
      .catch(String);

  beforeAll(async () => {
    for (const name of ["v1", "v2"]) {
      const backend = http.createServer((_, response) => response.end(name));
      await new Promise<void>((resolve) => backend.listen(0, "127.0.0.1", resolve));
      backends.push(backend);
      ports.push((backend.address() as AddressInfo).port);
    }
    pilot = await startPilot();
    apply(100);
    proxy = startEnvoy(envoy ?? "", pilot.server.port);
    await waitUntil("it serves", async () => (await call()) === "200 v1", 20_000);
  }, 30_000);

  afterAll(async () => {
    await proxy.stop();
    for (const backend of backends) backend.close();
    await pilot.close();
  });

  test("shows what was sent, and refuses nothing", async () => {
    const dump = await proxy.admin("/config_dump?include_eds");
    for (const name of [
      "outbound|80|v1|app.example.org",
      `0.0.0.0_${LISTEN_PORT}`,
      `http.${LISTEN_PORT}`,
      `http.${LISTEN_PORT}/app.example.org:${LISTEN_PORT}`,
    ]) {
      expect(dump).toContain(`"${name}"`);
    }
    const stats = await proxy.admin("/stats?filter=update_rejected");
    expect(stats.match(/update_rejected: [1-9]/g)).toBeNull();
    expect(pilot.rejections).toEqual([]);
    expect(proxy.output()).not.toMatch(/\[(error|critical)\]/);
  });

  test("follows every weight without a failed request", async () => {
    let failures = 0;
    for (let change = 0; change < 10; change++) {
      const weight = change % 2 === 0 ? 0 : 100;
      apply(weight);
      await waitUntil("the weight is effective", async () => {
        const answer = await call();
        if (!answer.startsWith("200")) failures++;
        return answer === (weight === 0 ? "200 v2" : "200 v1");
      });
    }
    expect(failures).toBe(0);
  });

  test("connects again and is sent nothing that it has", async () => {
    const [before] = pilot.server.streams();
    before?.disconnect("the test wants it");
    await waitUntil("it is back", () => {
      const [stream] = pilot.server.streams();
      return stream !== before && stream?.subscriptions.size === 5;
    });
    const sent = [...(pilot.server.streams()[0]?.subscriptions.values() ?? [])];
    expect(sent.map(({ sentNonce }) => sentNonce)).toEqual(["", "", "", "", ""]);
    expect(await call()).toMatch(/^200/);
  });
});
