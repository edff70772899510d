/** Discovery for several clusters: real API servers of ours, the server as `lateen pilot` runs it. */

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import type { CustomResourceDefinition } from "#cluster/api/generated/apiextensions-v1.ts";
import {
  CUSTOM_RESOURCE_DEFINITIONS,
  ENDPOINT_SLICES,
  NAMESPACES,
  SECRETS,
  SERVICES,
} from "#cluster/api/resources.ts";
import type { Resource } from "#cluster/api/resources.ts";
import { startTestServer } from "#cluster/apiserver/testing/test-server.ts";
import type { KubeClient } from "#cluster/client/client.ts";
import { createClient } from "#cluster/client/http-client.ts";
import { loadKubeconfig } from "#cluster/client/kubeconfig.ts";
import { waitUntil } from "#cluster/client/testing/wait-until.ts";
import { loadCrds } from "#crds/load.ts";
import { AdsClient, sidecarNode } from "./ads-client.ts";
import { CLUSTER, ENDPOINTS } from "#pilot/cache/type-url.ts";
import { servePilot } from "#pilot/serve.ts";

type TestServer = Awaited<ReturnType<typeof startTestServer>>;

const ENTRIES: Resource = {
  group: "networking.istio.io",
  version: "v1",
  plural: "serviceentries",
  kind: "ServiceEntry",
  namespaced: true,
};

const WEB = "outbound|80||web.default.svc.cluster.local";

let east: TestServer;
let west: TestServer;
let folder: string;
const abort = new AbortController();
let served: Promise<void>;
let client: AdsClient;
let api: KubeClient;

beforeAll(async () => {
  [east, west] = await Promise.all([startTestServer(), startTestServer()]);
  folder = await mkdtemp(path.join(tmpdir(), "lateen-clusters-"));
  await writeFile(
    path.join(folder, "more.yaml"),
    "apiVersion: v1\nkind: Service\nmetadata: { name: written, namespace: default }\nspec: { clusterIP: 192.0.2.9, ports: [{ name: http, port: 80 }] }\n",
  );
  api = createClient(await loadKubeconfig(east.kubeconfig));
  await api.create(NAMESPACES, { metadata: { name: "istio-system" } }).catch(() => undefined);
  await putWeb(api, "198.51.100.1");
  const port = await new Promise<number>((resolve, reject) => {
    served = servePilot(
      {
        configDir: folder,
        kubeconfig: east.kubeconfig,
        grpc: "127.0.0.1:0",
        insecure: true,
        log: () => undefined,
        onReady: (line) => resolve(Number(line.split(":")[1])),
      },
      abort.signal,
    );
    served.catch(reject);
  });
  client = new AdsClient(port, sidecarNode("p", "default"));
}, 60_000);

afterAll(async () => {
  client.close();
  abort.abort();
  await served;
  api.close();
  await Promise.all([east.remove(), west.remove(), rm(folder, { recursive: true })]);
}, 60_000);

async function putWeb(to: KubeClient, address: string): Promise<void> {
  const metadata = { name: "web", namespace: "default" };
  await to.create(NAMESPACES, { metadata: { name: "default" } }).catch(() => undefined);
  const ports = [{ name: "http", port: 80 }];
  await to.create(SERVICES, { metadata, spec: { ports } });
  await to.create(ENDPOINT_SLICES, {
    metadata: { ...metadata, labels: { "kubernetes.io/service-name": "web" } },
    addressType: "IPv4",
    ports: [{ name: "http", port: 8080 }],
    endpoints: [{ addresses: [address] }],
  });
}

/** As a Secret carries it: with everything in it. */
async function kubeconfigOf({ kubeconfig }: TestServer): Promise<string> {
  const { server, ca, cert, key } = await loadKubeconfig(kubeconfig);
  const data = (text = ""): string => Buffer.from(text).toString("base64");
  return JSON.stringify({
    "current-context": "a",
    contexts: [{ name: "a", context: { cluster: "a", user: "a" } }],
    clusters: [{ name: "a", cluster: { server, "certificate-authority-data": data(ca) } }],
    users: [
      {
        name: "a",
        user: { "client-certificate-data": data(cert), "client-key-data": data(key) },
      },
    ],
  });
}

/** Addresses of the endpoints that the proxy knows of `web`. */
function addresses(): string[] {
  const text = JSON.stringify(client.of(ENDPOINTS).get(WEB) ?? {});
  return [...text.matchAll(/"address":"([\d.]+)"/g)].map((match) => match[1] ?? "").toSorted();
}

test("a folder and a cluster are one world, to which a Secret adds a cluster", async () => {
  await waitUntil("both are there", () => addresses().length === 1 && client.of(CLUSTER).size > 2);
  expect(client.of(CLUSTER).has("outbound|80||written.default.svc.cluster.local")).toBe(true);
  const far = createClient(await loadKubeconfig(west.kubeconfig));
  await putWeb(far, "198.51.100.2");
  far.close();
  const metadata = {
    name: "west",
    namespace: "istio-system",
    labels: { "istio/multiCluster": "true" },
  };
  const data = { west: Buffer.from(await kubeconfigOf(west)).toString("base64") };
  await api.create(SECRETS, { metadata, data });
  await waitUntil("the far endpoint is there", () => addresses().length === 2);
  expect(addresses()).toEqual(["198.51.100.1", "198.51.100.2"]);
  await api.delete(SECRETS, metadata);
  await waitUntil("it is gone", () => addresses().length === 1);
}, 60_000);

test("hosts of ServiceEntries get their addresses written", async () => {
  const definition = loadCrds().find((crd) => crd.metadata.name.startsWith("serviceentries."));
  await api.create(CUSTOM_RESOURCE_DEFINITIONS, definition as unknown as CustomResourceDefinition);
  const metadata = { name: "given", namespace: "default" };
  const entry = {
    metadata,
    spec: {
      hosts: ["given.example.org"],
      resolution: "STATIC",
      ports: [{ number: 5000, name: "tcp", protocol: "TCP" }],
      endpoints: [{ address: "192.0.2.1" }],
    },
  };
  await waitUntil("the kind is served", async () =>
    api.create(ENTRIES, entry).then(
      () => true,
      () => false,
    ),
  );
  const status = async (): Promise<string> =>
    JSON.stringify((await api.get(ENTRIES, metadata))["status"] ?? {});
  await waitUntil("it is written", async () => /"value":"240\.240\.\d+\.\d+"/.test(await status()));
  await api.delete(ENTRIES, metadata);
}, 60_000);
