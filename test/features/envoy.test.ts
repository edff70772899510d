/** The real Envoy on our ADS: what it holds is what was sent, and it serves by it. */

import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { waitUntil } from "#cluster/client/testing/wait-until.ts";
import { findEnvoy } from "#test/golden/envoy-validate.ts";
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

function bootstrap(adsPort: number, folder: string): object {
  const pod = "gateway-1.default";
  return {
    node: {
      id: `router~127.0.0.1~${pod}~default.svc.cluster.local`,
      cluster: "gateway",
      metadata: { NAMESPACE: "default", LABELS: { istio: "test" } },
    },
    admin: { address: { pipe: { path: path.join(folder, "admin.sock") } } },
    dynamic_resources: {
      ads_config: {
        api_type: "DELTA_GRPC",
        transport_api_version: "V3",
        grpc_services: [{ envoy_grpc: { cluster_name: "xds-grpc" } }],
      },
      cds_config: { ads: {}, resource_api_version: "V3" },
      lds_config: { ads: {}, resource_api_version: "V3" },
    },
    static_resources: {
      clusters: [
        {
          name: "xds-grpc",
          type: "STATIC",
          typed_extension_protocol_options: {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
              "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
              explicit_http_config: { http2_protocol_options: {} },
            },
          },
          load_assignment: {
            cluster_name: "xds-grpc",
            endpoints: [
              {
                lb_endpoints: [
                  {
                    endpoint: {
                      address: { socket_address: { address: "127.0.0.1", port_value: adsPort } },
                    },
                  },
                ],
              },
            ],
          },
        },
      ],
    },
  };
}

/** The body of an answer, with its status before it. */
function get(options: http.RequestOptions): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = http.get({ agent: false, ...options }, (response) => {
      let body = "";
      response.on("data", (chunk: Buffer) => (body += chunk.toString()));
      response.on("end", () => resolve(`${response.statusCode} ${body}`));
    });
    request.on("error", reject);
  });
}

ifEnvoy("Envoy on our ADS", () => {
  const folder = mkdtempSync(path.join(tmpdir(), "lateen-ads-"));
  const backends: http.Server[] = [];
  const ports: number[] = [];
  let pilot: PilotWorld;
  let child: ChildProcess;
  let output = "";

  const apply = (weight: number): void => pilot.apply(world(weight, [ports[0]!, ports[1]!]));
  const call = (): Promise<string> =>
    get({ port: LISTEN_PORT, headers: { host: "app.example.org" } }).catch(String);
  const admin = (page: string): Promise<string> =>
    get({ socketPath: path.join(folder, "admin.sock"), path: page }).catch(String);

  beforeAll(async () => {
    for (const name of ["v1", "v2"]) {
      const backend = http.createServer((_, response) => response.end(name));
      await new Promise<void>((resolve) => backend.listen(0, "127.0.0.1", resolve));
      backends.push(backend);
      ports.push((backend.address() as AddressInfo).port);
    }
    pilot = await startPilot();
    apply(100);
    const file = path.join(folder, "bootstrap.json");
    writeFileSync(file, JSON.stringify(bootstrap(pilot.server.port, folder)));
    const arguments_ = ["-c", file, "--concurrency", "1", "--disable-hot-restart", "-l", "warning"];
    child = spawn(envoy ?? "", arguments_, { stdio: ["ignore", "ignore", "pipe"] });
    child.stderr?.on("data", (chunk: Buffer) => (output += chunk.toString()));
    await waitUntil("it serves", async () => (await call()) === "200 v1", 20_000);
  }, 30_000);

  afterAll(async () => {
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await ended;
    for (const backend of backends) backend.close();
    await pilot.close();
    rmSync(folder, { recursive: true });
  });

  test("shows what was sent, and refuses nothing", async () => {
    const dump = await admin("/config_dump?include_eds");
    for (const name of [
      "outbound|80|v1|app.example.org",
      `0.0.0.0_${LISTEN_PORT}`,
      `http.${LISTEN_PORT}`,
      `http.${LISTEN_PORT}/app.example.org:${LISTEN_PORT}`,
    ]) {
      expect(dump).toContain(`"${name}"`);
    }
    const stats = await admin("/stats?filter=update_rejected");
    expect(stats.match(/update_rejected: [1-9]/g)).toBeNull();
    expect(pilot.rejections).toEqual([]);
    expect(output).not.toMatch(/\[(error|critical)\]/);
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
