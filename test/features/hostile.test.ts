/** Clients that misbehave, by malice or by accident: they hurt themselves only. */

import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { AdsClient, sidecarNode } from "./ads-client.ts";
import { startPilot } from "./pilot-world.ts";
import type { PilotWorld } from "./pilot-world.ts";
import { call, connect, endOf, readAll, requestBytes } from "./raw-ads.ts";
import { waitUntil } from "#cluster/client/testing/wait-until.ts";
import { CLUSTER, ENDPOINTS } from "#pilot/cache/type-url.ts";

const service = (name: string, labels = ""): string => `
apiVersion: v1
kind: Service
metadata: { name: ${name}, namespace: default, labels: { text: "${labels}" } }
spec: { clusterIP: 192.0.2.1, ports: [{ name: http, port: 80 }] }
`;
const clusterOf = (name: string): string => `outbound|80||${name}.default.svc.cluster.local`;

let world: PilotWorld;

beforeAll(async () => {
  world = await startPilot(["a", "b", "c"].map((name) => service(name)).join("---"));
});

afterAll(() => world.close());

/** A well-behaved client is served, whatever else is going on. */
async function expectService(): Promise<void> {
  const client = new AdsClient(world.server.port, sidecarNode("good", "default"));
  await waitUntil("a good client is served", () => client.of(CLUSTER).has(clusterOf("a")));
  client.close();
}

const deep = (levels: number): object => {
  let value: object = {};
  for (let level = 0; level < levels; level++) value = { next: value };
  return value;
};

describe("a proxy that says strange things about itself", () => {
  const { id } = sidecarNode("p", "default") as { id: string };
  test.each<[string, object]>([
    ["an empty id", { id: "" }],
    ["a huge id", { id: `sidecar~192.0.2.1~${"x".repeat(1_000_000)}.default~default` }],
    ["control characters", { id: "sidecar~192.0.2.1~p\u0000\u001b[2J\n.default~x.svc" }],
    ["no address", { id: "sidecar~../../etc~p.default~default.svc.cluster.local" }],
    ["a strange type", { id: id.replace("sidecar", "__proto__") }],
    ["a strange namespace", { id, metadata: { NAMESPACE: "../kube-system" } }],
    ["a thousand labels", { id, metadata: { LABELS: Object.fromEntries(labels(1000)) } }],
    ["labels that are no names", { id, metadata: { LABELS: { "\u0007": "x" } } }],
    ["metadata of many levels", { id, metadata: deep(300) }],
  ])("is sent away: %s", async (_, node) => {
    const session = connect(world.server.port);
    const stream = call(session);
    stream.write(requestBytes({ node, typeUrl: CLUSTER }));
    expect(await endOf(stream)).toBe("3");
    session.close();
    expect(world.logged.every((line) => line.length < 4096 && !/\p{Cc}/u.test(line))).toBe(true);
    await expectService();
  });

  test.each<[string, object]>([
    ["__proto__ as a key", { metadata: JSON.parse('{"__proto__":{"NAMESPACE":"x"}}') as object }],
    ["wrong types", { metadata: { LABELS: 7, INSTANCE_IPS: [], NETWORK: {}, CLUSTER_ID: null } }],
    ["metadata of some levels", { metadata: deep(20) }],
    ["a large value", { metadata: { NOTE: "x".repeat(1_000_000) } }],
  ])("is served where that doesn't matter: %s", async (_, node) => {
    const session = connect(world.server.port);
    const stream = call(session);
    const names: string[] = [];
    readAll(stream, ({ resources = [] }) => names.push(...resources.map(({ name = "" }) => name)));
    stream.write(requestBytes({ node: { id, ...node }, typeUrl: CLUSTER }));
    await waitUntil("it is served", () => names.includes(clusterOf("a")));
    session.destroy();
    expect(Object.hasOwn(Object.prototype, "NAMESPACE")).toBe(false);
  });
});

function labels(count: number): [string, string][] {
  return Array.from({ length: count }, (_, index) => [`label-${index}`, "x"]);
}

describe("a client that doesn't speak the protocol", () => {
  const framed = (flag: number, bytes: Buffer): Buffer => {
    const head = Buffer.alloc(5);
    head[0] = flag;
    head.writeUInt32BE(bytes.length, 1);
    return Buffer.concat([head, bytes]);
  };
  test.each<[string, Buffer, string]>([
    ["sends bytes that are no request", framed(0, Buffer.from([0x0a, 0xff, 0xff])), "3"],
    ["sends varints without an end", framed(0, Buffer.alloc(64, 0xff)), "3"],
    ["compresses", framed(1, Buffer.from("x")), "12"],
    ["announces four gigabytes", Buffer.from([0, 0xff, 0xff, 0xff, 0xff]), "8"],
    ["names a resource at length", requestWithName("x".repeat(100_000)), "3"],
  ])("%s, and is told so", async (_, bytes, status) => {
    const session = connect(world.server.port);
    const stream = call(session);
    stream.write(bytes);
    expect(await endOf(stream)).toBe(status);
    session.close();
    await expectService();
  });

  test.each<[string, object, string]>([
    ["another path", { ":path": "/nowhere" }, "12"],
    ["another content", { "content-type": "text/html" }, "415"],
    ["another verb", { ":method": "GET" }, "12"],
  ])("asks for %s, and is told so", async (_, headers, status) => {
    const session = connect(world.server.port);
    expect(await endOf(call(session, headers))).toBe(status);
    session.close();
  });

  test("floods with headers, and loses its connection only", async () => {
    const session = connect(world.server.port);
    const flood = Object.fromEntries(
      Array.from({ length: 500 }, (_, index) => [`x-${index}`, "x".repeat(200)]),
    );
    expect(await endOf(call(session, flood))).toMatch(/^reset|^431/);
    session.destroy();
    await expectService();
  });

  test("acknowledges what it was never sent, and gets each type once", async () => {
    const session = connect(world.server.port);
    const stream = call(session);
    stream.resume();
    const node = sidecarNode("garbage", "default");
    stream.write(requestBytes({ node, typeUrl: CLUSTER }));
    for (let index = 0; index < 1000; index++) {
      stream.write(requestBytes({ typeUrl: CLUSTER, responseNonce: `garbage ${index}` }));
    }
    stream.write(requestBytes({ typeUrl: ENDPOINTS, resourceNamesSubscribe: [clusterOf("a")] }));
    const mine = () =>
      world.server.streams().find(({ view }) => view?.proxyId.includes("garbage") === true);
    await waitUntil("all is read", () => mine()?.subscriptions.has(ENDPOINTS) === true);
    expect(mine()?.subscriptions.get(CLUSTER)).toMatchObject({ sentNonce: "1", ackedNonce: "" });
    session.destroy();
  });
});

function requestWithName(name: string): Buffer {
  return requestBytes({
    node: sidecarNode("p", "default"),
    typeUrl: ENDPOINTS,
    resourceNamesSubscribe: [name],
  });
}

describe("many clients", () => {
  test("500 that never read cost one response each, and delay nobody", async () => {
    const before = world.server.streams().length;
    const sessions = Array.from({ length: 10 }, () => connect(world.server.port));
    const stuck = sessions.flatMap((session) => Array.from({ length: 50 }, () => call(session)));
    for (const [index, stream] of stuck.entries()) {
      stream.write(
        requestBytes({ node: sidecarNode(`stuck-${index}`, "default"), typeUrl: CLUSTER }),
      );
    }
    const streams = () =>
      world.server.streams().filter(({ view }) => view?.proxyId.includes("stuck"));
    await waitUntil("all are connected", () => streams().length === 500, 30_000);
    const client = new AdsClient(world.server.port, sidecarNode("quick", "default"));
    await waitUntil("the quick one is served", () => client.of(CLUSTER).has(clusterOf("a")));
    for (let round = 0; round < 20; round++) {
      world.apply(service(`new-${round}`));
      await waitUntil("the quick one is told", () =>
        client.of(CLUSTER).has(clusterOf(`new-${round}`)),
      );
    }
    for (const stream of streams()) {
      expect(stream.subscriptions.get(CLUSTER)).toMatchObject({ sentNonce: "1" });
    }
    client.close();
    for (const session of sessions) session.destroy();
    await waitUntil("all are forgotten", () => world.server.streams().length <= before);
  }, 60_000);

  test("2,000 that come back together are all served, and a change meanwhile as well", async () => {
    const versions = new Map<string, string>();
    const client = new AdsClient(world.server.port, sidecarNode("steady", "default"));
    await waitUntil("the steady one is served", () => client.of(CLUSTER).has(clusterOf("a")));
    const served = new Set<number>();
    const sessions = Array.from({ length: 40 }, () => connect(world.server.port));
    for (const [index, session] of sessions.flatMap((one) => Array(50).fill(one)).entries()) {
      const stream = call(session);
      readAll(stream, ({ resources = [] }) => {
        served.add(index);
        for (const { name = "", version = "" } of resources) versions.set(name, version);
      });
      stream.write(
        requestBytes({ node: sidecarNode(`storm-${index}`, "default"), typeUrl: CLUSTER }),
      );
    }
    world.apply(service("meanwhile"));
    await waitUntil("the steady one is told", () => client.of(CLUSTER).has(clusterOf("meanwhile")));
    await waitUntil("all are served", () => served.size === 2000, 60_000);
    expect(versions.has(clusterOf("a"))).toBe(true);
    client.close();
    for (const session of sessions) session.destroy();
    await waitUntil("all are forgotten", () => world.server.streams().length === 0, 30_000);
    expect(world.pusher.connections.size).toBe(0);
  }, 120_000);
});
