import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import * as grpc from "@grpc/grpc-js";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { makeTestCertificate } from "#cluster/client/testing/test-certificate.ts";
import { waitUntil } from "#cluster/client/testing/wait-until.ts";
import { AdsClient, sidecarNode } from "./ads-client.ts";
import { CLUSTER, VIRTUAL_HOST } from "#pilot/cache/type-url.ts";
import { decode } from "#pilot/proto/decode.ts";
import { encode } from "#pilot/proto/encode.ts";
import { servePilot } from "#pilot/serve.ts";
import type { ServeOptions } from "#pilot/serve.ts";

const WORLD = `
apiVersion: v1
kind: Service
metadata: { name: a, namespace: default }
spec: { clusterIP: 192.0.2.1, ports: [{ name: http, port: 80 }] }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: a, namespace: default }
spec: { hosts: [a], http: [{ route: [{ destination: { host: missing } }] }] }
`;

let directory: string;
let abort: AbortController;
let served: Promise<void> | undefined;
let logged: string[];

beforeEach(async () => {
  directory = await mkdtemp(path.join(tmpdir(), "lateen-pilot-"));
  await writeFile(path.join(directory, "world.yaml"), WORLD);
  abort = new AbortController();
  logged = [];
});

afterEach(async () => {
  abort.abort();
  await served;
  served = undefined;
  await rm(directory, { recursive: true });
});

/** Serves the folder; the port of ADS. */
async function serve(options: Partial<ServeOptions> = {}): Promise<number> {
  const line = await new Promise<string>((resolve, reject) => {
    served = servePilot(
      {
        configDir: directory,
        grpc: "127.0.0.1:0",
        insecure: true,
        log: (one) => logged.push(one),
        onReady: resolve,
        ...options,
      },
      abort.signal,
    );
    served.catch(reject);
  });
  expect(line).toMatch(/^READY 127\.0\.0\.1:\d+$/);
  return Number(line.split(":")[1]);
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

interface DebugResponse {
  controlPlane: { identifier: string };
  resources: Record<string, unknown>[];
}

/** One state-of-the-world request without a node, as istioctl sends it: with a nonce of its own. */
function question(
  port: number,
  typeUrl: string,
  ...resourceNames: string[]
): Promise<DebugResponse> {
  const client = new grpc.Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure());
  const same = (bytes: Buffer): Buffer => bytes;
  const path = "/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources";
  const stream = client.makeBidiStreamRequest(path, same, same);
  const message = { typeUrl, resourceNames, responseNonce: "2026-11-21 06:00" };
  const encoded = encode("envoy.service.discovery.v3.DiscoveryRequest", message);
  if (!encoded.ok) throw new Error(JSON.stringify(encoded.problems));
  stream.write(encoded.bytes);
  return new Promise((resolve, reject) => {
    stream.once("error", reject);
    stream.once("data", (bytes: Buffer) => {
      const response: unknown = decode("envoy.service.discovery.v3.DiscoveryResponse", bytes);
      resolve(response as DebugResponse);
      stream.on("error", () => undefined);
      stream.cancel();
      client.close();
    });
  });
}

describe("pilot on a folder", () => {
  test("serves it, follows it, and shows it on its pages", async () => {
    const http = await freePort();
    const client = new AdsClient(
      await serve({ http: `127.0.0.1:${http}` }),
      sidecarNode("p", "default", { CLUSTER_ID: "here" }),
    );
    await waitUntil("all is sent", () => client.of(VIRTUAL_HOST).size > 0);
    const page = async (name: string): Promise<{ status: number; body: string }> => {
      const response = await fetch(`http://127.0.0.1:${http}${name}`);
      return { status: response.status, body: await response.text() };
    };
    const json = async (name: string): Promise<unknown> => JSON.parse((await page(name)).body);
    await waitUntil("it is synced", async () =>
      JSON.stringify(await json("/debug/syncz")).includes('"state":"synced"'),
    );
    expect(await json("/debug/syncz")).toMatchObject([
      {
        proxy: expect.stringContaining("~p.default~"),
        cluster_id: "here",
        cluster_sent: expect.any(String),
        resources: { [CLUSTER]: { sent: expect.any(String), sentTime: expect.any(String) } },
      },
    ]);
    expect(await json("/debug/adsz")).toMatchObject({ totalClients: 1 });
    expect(await json("/debug/registryz")).toMatchObject([
      { hostname: "a.default.svc.cluster.local", Attributes: { Name: "a", Namespace: "default" } },
    ]);
    expect(await json("/debug/configz")).toMatchObject([{ kind: "VirtualService" }]);
    const dump = (await page("/debug/config_dump?proxyID=p.default")).body;
    expect(dump).toContain("type.googleapis.com/envoy.admin.v3.ClustersConfigDump");
    expect(dump).toContain("outbound|80||a.default.svc.cluster.local");
    expect((await page("/debug/config_dump?proxyID=q.default")).status).toBe(404);
    expect((await page("/ready")).status).toBe(200);
    const metrics = (await page("/metrics")).body;
    expect(metrics).toContain('pilot_xds{version="unknown"} 1');
    expect(metrics).toMatch(/^pilot_xds_pushes\{type="cds"\} [1-9]/m);
    await writeFile(path.join(directory, "more.yaml"), WORLD.replaceAll(/\ba\b/g, "more"));
    await waitUntil("the new service is there", () =>
      client.of(CLUSTER).has("outbound|80||more.default.svc.cluster.local"),
    );
    client.close();
  });

  test("says which file, document and field are wrong, and serves the rest", async () => {
    const bad = WORLD.replace("hosts: [a]", "hosts: [b], http2: 1").replaceAll(
      "name: a",
      "name: b",
    );
    await writeFile(path.join(directory, "bad.yaml"), bad);
    await serve();
    const where = `${path.join(directory, "bad.yaml")}: document 2:`;
    expect(logged).toContain(`${where} spec.http2: unknown field`);
  });

  test("serves over TLS with the certificate that it is given", async () => {
    const { cert, key } = await makeTestCertificate();
    const files = {
      certFile: path.join(directory, "c.pem"),
      keyFile: path.join(directory, "k.pem"),
    };
    await writeFile(files.certFile, cert);
    await writeFile(files.keyFile, key);
    const serving = { ...files, caFile: files.certFile };
    const port = await serve({ insecure: false, serving });
    const trusted = grpc.credentials.createSsl(Buffer.from(cert), null, null, {
      // The test's certificate has an address only.
      checkServerIdentity: () => undefined,
    });
    const client = new AdsClient(port, sidecarNode("p", "default"), trusted);
    await waitUntil("all is sent", () => client.of(VIRTUAL_HOST).size > 0);
    abort.abort();
    await waitUntil("it is sent away", () => client.ended !== undefined);
    expect(client.ended?.code).toBe(grpc.status.UNAVAILABLE);
    client.close();
  });

  test("answers what istioctl asks over ADS", async () => {
    const port = await serve();
    const client = new AdsClient(port, sidecarNode("p", "default", { CLUSTER_ID: "here" }));
    await waitUntil("all is sent", () => client.of(VIRTUAL_HOST).size > 0);
    await waitUntil("it is synced", async () => {
      const states = JSON.stringify(await question(port, "istio.io/debug/syncz"));
      return states.includes('"SYNCED"') && !states.includes('"STALE"');
    });
    const synced = await question(port, "istio.io/debug/syncz");
    expect(JSON.parse(synced.controlPlane.identifier)).toMatchObject({
      Info: { version: "0.1.0" },
    });
    expect(synced.resources).toMatchObject([
      {
        "@type": "type.googleapis.com/envoy.service.status.v3.ClientConfig",
        node: { metadata: { CLUSTER_ID: "here", NAMESPACE: "default" } },
        genericXdsConfigs: expect.arrayContaining([
          { typeUrl: CLUSTER, configStatus: "SYNCED", lastUpdated: expect.any(String) },
        ]),
      },
    ]);
    const { resources } = await question(port, "istio.io/debug/config_dump", "p.default");
    const parts = resources.map((one) => String(one["@type"]).split(".").at(-1));
    expect(parts.slice(0, 3)).toEqual([
      "BootstrapConfigDump",
      "ClustersConfigDump",
      "ListenersConfigDump",
    ]);
    const [page] = (await question(port, "istio.io/debug", "list")).resources;
    expect(JSON.parse(Buffer.from(String(page?.["value"]), "base64").toString())).toContain(
      "syncz",
    );
    client.close();
  });

  test("ends, with all that it had begun, where its pages' port is taken", async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
    const { port } = taken.address() as AddressInfo;
    await expect(serve({ http: `127.0.0.1:${port}` })).rejects.toThrow("EADDRINUSE");
    served = undefined;
    await new Promise((resolve) => taken.close(resolve));
  });

  test.each([
    [{ grpc: "0.0.0.0:0" }, "loopback only"],
    [{ insecure: false }, "needs a certificate"],
    [{ grpc: "nowhere" }, "is not ADDRESS:PORT"],
    [{ configDir: "/no/such/folder" }, "ENOENT"],
  ])("refuses %j with a reason", async (options, reason) => {
    const starting = serve(options);
    await expect(starting).rejects.toThrow(reason);
    served = undefined;
  });
});
