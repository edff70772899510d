/** gRPC without a proxy: grpc-js with its xDS resolver, served as Istio serves it. */

import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import * as grpc from "@grpc/grpc-js";
import * as xds from "@grpc/grpc-js-xds";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { startPilot } from "./pilot-world.ts";
import type { PilotWorld } from "./pilot-world.ts";
import { waitUntil } from "#cluster/client/testing/wait-until.ts";

const same = (bytes: Buffer): Buffer => bytes;
const METHOD = {
  path: "/test.Echo/Name",
  requestStream: false,
  responseStream: false,
  requestSerialize: same,
  requestDeserialize: same,
  responseSerialize: same,
  responseDeserialize: same,
} as const;

const servers: grpc.Server[] = [];
let world: PilotWorld;
let client: grpc.Client | undefined;

/** A server that answers with its name; its port. */
async function serve(
  name: string,
  server = new grpc.Server(),
  at = "127.0.0.1:0",
): Promise<number> {
  servers.push(server);
  server.addService(
    { Name: METHOD },
    { Name: (_: unknown, done: grpc.sendUnaryData<Buffer>) => done(null, Buffer.from(name)) },
  );
  return await new Promise<number>((resolve, reject) => {
    server.bindAsync(at, grpc.ServerCredentials.createInsecure(), (error, port) =>
      error === null ? resolve(port) : reject(error),
    );
  });
}

const rules = (weights: [number, number]): string => `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: echo, namespace: default }
spec:
  hosts: [echo.example.org]
  http:
    - route:
        - { destination: { host: echo.example.org, subset: v1 }, weight: ${weights[0]} }
        - { destination: { host: echo.example.org, subset: v2 }, weight: ${weights[1]} }
`;

const entry = (ports: [number, number]): string => `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: echo, namespace: default }
spec:
  hosts: [echo.example.org]
  ports: [{ number: 7070, name: grpc, protocol: GRPC }]
  resolution: STATIC
  location: MESH_INTERNAL
  endpoints:
    - { address: 127.0.0.1, ports: { grpc: ${ports[0]} }, labels: { version: v1 } }
    - { address: 127.0.0.1, ports: { grpc: ${ports[1]} }, labels: { version: v2 } }
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: echo, namespace: default }
spec:
  host: echo.example.org
  subsets: [{ name: v1, labels: { version: v1 } }, { name: v2, labels: { version: v2 } }]
---`;

beforeAll(async () => {
  const ports: [number, number] = [await serve("one"), await serve("two")];
  world = await startPilot(entry(ports) + rules([25, 75]));
  process.env["GRPC_XDS_BOOTSTRAP_CONFIG"] = JSON.stringify({
    xds_servers: [
      {
        server_uri: `127.0.0.1:${world.server.port}`,
        channel_creds: [{ type: "insecure" }],
        server_features: ["xds_v3"],
      },
    ],
    node: {
      id: "sidecar~127.0.0.1~caller.default~default.svc.cluster.local",
      cluster: "caller",
      locality: { region: "here" },
      metadata: { NAMESPACE: "default", GENERATOR: "grpc" },
    },
    server_listener_resource_name_template: "xds.istio.io/grpc/lds/inbound/%s",
  });
  xds.register();
});

afterAll(async () => {
  client?.close();
  for (const server of servers) server.forceShutdown();
  // Else the library would go on trying to reach a server that is no more.
  await waitUntil("the library lets go", () => world.server.streams().length === 0);
  await world.close();
  delete process.env["GRPC_XDS_BOOTSTRAP_CONFIG"];
});

async function ask(): Promise<string> {
  client ??= new grpc.Client("xds:///echo.example.org:7070", grpc.credentials.createInsecure());
  const from = client;
  const deadline = Date.now() + 5000;
  return await new Promise<string>((resolve, reject) => {
    from.makeUnaryRequest(
      METHOD.path,
      same,
      same,
      Buffer.from("?"),
      new grpc.Metadata(),
      { deadline },
      (error, value) => (error === null ? resolve(String(value)) : reject(error)),
    );
  });
}

async function shares(count: number): Promise<{ one: number; two: number }> {
  const names = await Promise.all(Array.from({ length: count }, ask));
  return {
    one: names.filter((name) => name === "one").length,
    two: names.filter((name) => name === "two").length,
  };
}

test("a client splits its calls by weight, and follows a change", async () => {
  const { one, two } = await shares(400);
  expect(one + two).toBe(400);
  expect(one).toBeGreaterThan(40);
  expect(one).toBeLessThan(180);
  world.apply(rules([0, 100]));
  await waitUntil("all calls go to the second", async () => (await shares(20)).one === 0);
  world.apply(rules([100, 0]));
  await waitUntil("all calls go to the first", async () => (await shares(20)).two === 0);
  expect(world.rejections).toEqual([]);
}, 30_000);

test("a server gets its listener", async () => {
  const port = await freePort();
  world.apply(`
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: served, namespace: default }
spec:
  hosts: [served.example.org]
  ports: [{ number: 7070, name: grpc, protocol: GRPC }]
  resolution: STATIC
  location: MESH_INTERNAL
  endpoints: [{ address: 127.0.0.1, ports: { grpc: ${port} } }]
`);
  const server = new xds.XdsServer();
  await serve("server", server, `0.0.0.0:${port}`);
  const direct = new grpc.Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure());
  await waitUntil("it answers", async () => {
    const name = await new Promise<string>((resolve) => {
      const deadline = Date.now() + 1000;
      const done = (error: grpc.ServiceError | null, value?: Buffer): void =>
        resolve(error === null ? String(value) : error.message);
      const empty = new grpc.Metadata();
      direct.makeUnaryRequest(METHOD.path, same, same, Buffer.from("?"), empty, { deadline }, done);
    });
    return name === "server";
  });
  direct.close();
  expect(world.rejections).toEqual([]);
});

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
