import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import {
  connectClient,
  startTestServer,
  type TestClient,
  type TestResponse,
  type TestServer,
} from "#cluster/apiserver/testing/test-server.ts";

let server: TestServer;
let client: TestClient;

beforeAll(async () => {
  server = await startTestServer();
  client = await connectClient(server, server.admin);
});

afterAll(async () => {
  client.close();
  await server.remove();
});

const SERVICES = "/api/v1/namespaces/default/services";

interface ServiceBody {
  metadata: { resourceVersion: string };
  spec: { clusterIP: string; clusterIPs: string[]; ports: { nodePort?: number }[] };
}

function create(name: string, spec = {}): Promise<TestResponse> {
  const ports = [{ port: 80, protocol: "TCP" }];
  const body = { kind: "Service", apiVersion: "v1", metadata: { name }, spec: { ports, ...spec } };
  return client.send(SERVICES, { body });
}

const specOf = ({ body }: TestResponse): ServiceBody["spec"] => (body as ServiceBody).spec;

describe("a service", () => {
  test("gets an address of the range, each its own", async () => {
    const made = await Promise.all(Array.from({ length: 50 }, (_, i) => create(`many-${i}`)));
    const addresses = made.map((answer) => specOf(answer).clusterIP);
    expect(new Set(addresses).size).toBe(50);
    for (const address of addresses) expect(address).toMatch(/^10\.229\.\d+\.\d+$/);
  });

  test("gets the address that it names, if it is free and in the range", async () => {
    expect(specOf(await create("named", { clusterIP: "10.229.0.10" }))).toMatchObject({
      clusterIP: "10.229.0.10",
      clusterIPs: ["10.229.0.10"],
    });
    expect((await create("second", { clusterIP: "10.229.0.10" })).body).toMatchObject({
      code: 422,
      message: /spec.clusterIPs: .*provided IP is already allocated/,
    });
    expect((await create("outside", { clusterIP: "192.0.2.1" })).body).toMatchObject({
      code: 422,
      message: /not in the valid range/,
    });
  });

  test("is headless or external when it says so", async () => {
    expect(specOf(await create("headless", { clusterIP: "None" })).clusterIP).toBe("None");
    const external = await create("external", {
      type: "ExternalName",
      externalName: "example.org",
      ports: undefined,
    });
    expect(specOf(external).clusterIP).toBeUndefined();
  });

  test("gets node ports by its type, and gives them back", async () => {
    const made = specOf(await create("ported", { type: "NodePort" }));
    const [port] = made.ports;
    expect(port?.nodePort).toBeGreaterThanOrEqual(30_000);
    const ports = [{ port: 80, nodePort: port?.nodePort }];
    const conflict = await create("conflict", { type: "NodePort", ports });
    expect(conflict.body).toMatchObject({ code: 422, message: /provided port is already/ });
    const headers = { "content-type": "application/merge-patch+json" };
    const patch = { method: "PATCH", body: { spec: { type: "ClusterIP" } }, headers };
    const plain = specOf(await client.send(`${SERVICES}/ported`, patch));
    expect(plain.ports[0]?.nodePort).toBeUndefined();
    expect(plain.clusterIP).toBe(made.clusterIP);
    expect((await create("conflict", { type: "NodePort", ports })).code).toBe(201);
  });

  test("keeps its address when it is replaced without one, and through a restart", async () => {
    const before = (await create("kept")).body as ServiceBody;
    const { clusterIP, clusterIPs: _, ...spec } = before.spec;
    const put = { method: "PUT", body: { ...before, spec } };
    expect(specOf(await client.send(`${SERVICES}/kept`, put)).clusterIP).toBe(clusterIP);
    client.close();
    await server.stop();
    await server.start();
    client = await connectClient(server, server.admin);
    expect((await create("thief", { clusterIP })).code).toBe(422);
    await client.send(`${SERVICES}/kept`, { method: "DELETE" });
    expect((await create("heir", { clusterIP })).code).toBe(201);
  });

  test("named kubernetes leads to this server", async () => {
    expect(specOf(await client.send(`${SERVICES}/kubernetes`)).clusterIP).toBe("10.229.0.1");
    const slices = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/kubernetes";
    const port = Number(new URL(server.url).port);
    expect((await client.send(slices)).body).toMatchObject({
      endpoints: [{ addresses: ["127.0.0.1"] }],
      ports: [{ port }],
    });
  });
});
