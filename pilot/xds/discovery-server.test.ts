import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { once } from "node:events";
import net from "node:net";
import * as grpc from "@grpc/grpc-js";
import { ResourceTable } from "#pilot/cache/table.ts";
import { CLUSTER } from "#pilot/cache/type-url.ts";
import { decode } from "#pilot/proto/decode.ts";
import type { JsonObject } from "#pilot/proto/json.ts";
import { encode } from "#pilot/proto/encode.ts";
import { startDiscoveryServer } from "./discovery-server.ts";
import type { DiscoveryServer, DiscoveryServerOptions } from "./discovery-server.ts";
import { resource } from "./testing/stream-harness.ts";

const table = new ResourceTable(CLUSTER);
const changes = new Set<() => void>();
let server: DiscoveryServer;
let client: grpc.Client;

const OPTIONS: DiscoveryServerOptions = {
  address: "127.0.0.1",
  version: "1.2.3",
  instance: "one",
  port: 0,
  openView: (_node, { onChange }) => {
    changes.add(onChange);
    const close = (): void => void changes.delete(onChange);
    return {
      ok: true,
      view: { proxyId: "p", tables: (type) => (type === CLUSTER ? [table] : []), close },
    };
  },
  events: {
    sent: () => undefined,
    acknowledged: () => undefined,
    recovered: () => undefined,
    rejected: () => undefined,
    converged: () => undefined,
  },
  log: () => undefined,
};

beforeAll(async () => {
  table.apply([resource(CLUSTER, "a"), resource(CLUSTER, "long", "x".repeat(100_000))]);
  server = await startDiscoveryServer(OPTIONS);
  client = new grpc.Client(`127.0.0.1:${server.port}`, grpc.credentials.createInsecure());
});

afterAll(async () => {
  client.close();
  await server.close();
});

type Stream = grpc.ClientDuplexStream<Buffer, Buffer>;

function open(method: string, from = client): Stream {
  const same = (bytes: Buffer): Buffer => bytes;
  const service = "/envoy.service.discovery.v3.AggregatedDiscoveryService";
  return from.makeBidiStreamRequest(`${service}/${method}`, same, same);
}

function request(message: object): Buffer {
  const encoded = encode("envoy.service.discovery.v3.DeltaDiscoveryRequest", message);
  if (!encoded.ok) throw new Error(JSON.stringify(encoded.problems));
  return encoded.bytes;
}

function nextMessage(stream: Stream): Promise<JsonObject> {
  return new Promise((resolve, reject) => {
    stream.once("data", (bytes: Buffer) =>
      resolve(decode("envoy.service.discovery.v3.DeltaDiscoveryResponse", bytes)),
    );
    stream.once("error", reject);
  });
}

function statusOf(stream: Stream): Promise<grpc.StatusObject> {
  stream.on("error", () => undefined);
  stream.resume();
  return new Promise((resolve) => stream.once("status", resolve));
}

describe("the discovery server, asked by grpc-js", () => {
  test("serves, pushes, and forgets a stream that ends", async () => {
    const stream = open("DeltaAggregatedResources");
    stream.write(request({ node: { id: "p" }, typeUrl: CLUSTER }));
    const first = await nextMessage(stream);
    expect(first).toMatchObject({
      typeUrl: CLUSTER,
      nonce: "1",
      controlPlane: { identifier: '{"Component":"pilot","ID":"one","Info":{"version":"1.2.3"}}' },
      resources: [{ name: "a", resource: { "@type": CLUSTER, name: "a" } }, { name: "long" }],
    });
    stream.write(request({ typeUrl: CLUSTER, responseNonce: "1" }));
    table.apply([resource(CLUSTER, "a", "2")]);
    const pushed = nextMessage(stream);
    for (const change of changes) change();
    expect(await pushed).toMatchObject({ nonce: "2", resources: [{ name: "a" }] });
    expect(server.streams()).toHaveLength(1);
    const status = statusOf(stream);
    stream.end();
    expect((await status).code).toBe(grpc.status.OK);
    expect(changes.size).toBe(0);
  });

  test("refuses unknown methods and too large messages with their status", async () => {
    const unknown = statusOf(open("FetchClusters"));
    expect((await unknown).code).toBe(grpc.status.UNIMPLEMENTED);
    const large = open("DeltaAggregatedResources");
    const status = statusOf(large);
    large.write(Buffer.alloc(17 * 1024 * 1024));
    expect((await status).code).toBe(grpc.status.RESOURCE_EXHAUSTED);
  });

  test("asks clients to connect again after a while", async () => {
    const aged = await startDiscoveryServer({ ...OPTIONS, maxConnectionAgeMs: 20 });
    const target = new grpc.Client(`127.0.0.1:${aged.port}`, grpc.credentials.createInsecure());
    const stream = open("DeltaAggregatedResources", target);
    stream.write(request({ node: { id: "p" }, typeUrl: CLUSTER }));
    expect((await statusOf(stream)).code).toBe(grpc.status.UNAVAILABLE);
    target.close();
    await aged.close();
  });

  test("ends although a client has not begun to speak", async () => {
    const secure = await startDiscoveryServer({ ...OPTIONS, tls: { cert: "", key: "" } });
    const silent = net.connect(secure.port, secure.address).on("error", () => undefined);
    await once(silent, "connect");
    const ended = once(silent, "close");
    await Promise.all([secure.close(), ended]);
  });

  test("says in the status what is wrong with a request", async () => {
    const stream = open("DeltaAggregatedResources");
    const status = statusOf(stream);
    stream.write(request({ typeUrl: CLUSTER }));
    expect(await status).toMatchObject({
      code: grpc.status.INVALID_ARGUMENT,
      details: "the first request must say who asks: node is missing",
    });
  });
});
