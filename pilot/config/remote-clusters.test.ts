import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { ENDPOINT_SLICES, SECRETS, SERVICES } from "#cluster/api/resources.ts";
import { FakeApi } from "#cluster/client/testing/fake-api.ts";
import { waitUntil } from "#cluster/client/testing/wait-until.ts";
import { hostname } from "#pilot/model/name.ts";
import {
  type PushContext,
  createPushContext,
  updatePushContext,
} from "#pilot/model/push-context.ts";
import { lookup } from "#pilot/model/object-index.ts";
import { startKubernetesSource } from "./kubernetes-source.ts";
import { ObjectFeed } from "./object-feed.ts";
import { RemoteClusters } from "./remote-clusters.ts";

const ROOT = "istio-system";
const WEB = hostname("web.default.svc.cluster.local");

/** API servers by the host of their URL; one that throws is away. */
let servers: Map<string, FakeApi>;
let abort: AbortController;
let context: PushContext;
let remote: RemoteClusters;
let logged: string[];

beforeEach(() => {
  servers = new Map(["east", "west"].map((name) => [name, new FakeApi()]));
  abort = new AbortController();
  context = createPushContext([]);
  logged = [];
});
afterEach(() => abort.abort());

function server(name: string): FakeApi {
  const found = servers.get(name);
  if (found === undefined) throw new Error(`no server ${name}`);
  return found;
}

/** A cluster `east` with its configuration, and the further ones that its Secrets name. */
async function start(): Promise<void> {
  const { signal } = abort;
  const log = (line: string): void => void logged.push(line);
  const feed = new ObjectFeed({
    clusterDomain: "cluster.local",
    clusterId: "east",
    log,
    apply(changes) {
      context = updatePushContext(context, changes);
    },
  });
  const client = server("east");
  remote = new RemoteClusters({
    client,
    rootNamespace: ROOT,
    clusterId: "east",
    feed,
    log,
    signal,
    connect: (config) => server(new URL(config.server).hostname),
    patienceMs: 200,
    probeMs: 20,
  });
  await Promise.all([startKubernetesSource({ client, feed, log, signal }), remote.start()]);
}

function kubeconfig(host: string, more = ""): string {
  return `
current-context: a
contexts: [{ name: a, context: { cluster: a, user: a } }]
clusters: [{ name: a, cluster: { server: "https://${host}" } }]
users: [{ name: a, user: { token: hidden${more} } }]
`;
}

async function putSecret(name: string, data: Record<string, string>): Promise<void> {
  const metadata = { name, namespace: ROOT, labels: { "istio/multiCluster": "true" } };
  const encoded = Object.entries(data).map(([id, text]) => [
    id,
    Buffer.from(text).toString("base64"),
  ]);
  await server("east").create(SECRETS, { metadata, data: Object.fromEntries(encoded) });
}

async function putWeb(cluster: string, clusterIP: string, address: string): Promise<void> {
  const metadata = { name: "web", namespace: "default" };
  const ports = [{ name: "http", port: 80 }];
  await server(cluster).create(SERVICES, { metadata, spec: { clusterIP, ports } });
  await server(cluster).create(ENDPOINT_SLICES, {
    metadata: { ...metadata, labels: { "kubernetes.io/service-name": "web" } },
    addressType: "IPv4",
    ports: [{ name: "http", port: 8080 }],
    endpoints: [{ addresses: [address] }],
  });
}

function endpoints(): string[] {
  const sets = lookup(context.indexes.endpointsByHost, WEB);
  return sets
    .flatMap((set) => set.endpoints.map((one) => `${one.cluster ?? "here"} ${one.address}`))
    .toSorted();
}

test("services and endpoints of further clusters come with a Secret and go with it", async () => {
  await putWeb("east", "192.0.2.1", "192.0.2.11");
  await putWeb("west", "198.51.100.1", "198.51.100.11");
  await putSecret("remote", { west: kubeconfig("west") });
  await start();
  expect(endpoints()).toEqual(["here 192.0.2.11", "west 198.51.100.11"]);
  expect(lookup(context.indexes.servicesByHost, WEB).map((one) => one.addresses)).toEqual([
    ["192.0.2.1"],
    ["198.51.100.1"],
  ]);
  expect(remote.list()).toEqual([{ id: "west", secret: "remote", state: "synced" }]);
  await server("west").delete(ENDPOINT_SLICES, { name: "web", namespace: "default" });
  await waitUntil("the endpoint is gone", () => endpoints().length === 1);
  await server("east").delete(SECRETS, { name: "remote", namespace: ROOT });
  await waitUntil("the cluster is gone", () => remote.list().length === 0);
  expect([...context.objects.keys()].filter((key) => key.includes("@west"))).toEqual([]);
  expect(endpoints()).toEqual(["here 192.0.2.11"]);
});

test("a cluster that is away or broken stops nobody and is told", async () => {
  await putWeb("east", "192.0.2.1", "192.0.2.11");
  await putWeb("west", "198.51.100.1", "198.51.100.11");
  server("west").onRequest = () => {
    throw new Error("no route to host");
  };
  server("west").raw = () => Promise.reject(new Error("no route to host"));
  await putSecret("away", { west: kubeconfig("west") });
  const foreign = kubeconfig("x", ", exec: { command: rm }");
  await putSecret("broken", { east: kubeconfig("east"), bad: "{}", north: foreign, west: "{}" });
  await start();
  expect(endpoints()).toEqual(["here 192.0.2.11"]);
  await waitUntil("it is told", () => remote.problems().length === 5);
  expect(
    remote.problems().map(({ object, path, reason }) => `${object} ${path} ${reason}`),
  ).toEqual([
    "Secret/istio-system/broken data.east InvalidCluster",
    "Secret/istio-system/broken data.west InvalidCluster",
    "Secret/istio-system/broken data.bad InvalidKubeconfig",
    "Secret/istio-system/broken data.north InvalidKubeconfig",
    "Secret/istio-system/away data.west ClusterUnreachable",
  ]);
  expect(logged.some((line) => line.includes("started without west"))).toBe(true);
  expect(JSON.stringify([logged, remote.problems()])).not.toContain("hidden");
  server("west").onRequest = undefined;
  await waitUntil("it comes all the same", () => endpoints().length === 2);
});

test("a changed kubeconfig takes over when it works, and what only the old one knew goes", async () => {
  servers.set("moved", new FakeApi());
  await putWeb("west", "198.51.100.1", "198.51.100.11");
  await putWeb("moved", "198.51.100.1", "198.51.100.12");
  await server("west").create(SERVICES, { metadata: { name: "old", namespace: "default" } });
  await putSecret("remote", { west: kubeconfig("west") });
  await start();
  const data = { west: Buffer.from(kubeconfig("moved")).toString("base64") };
  const secret = await server("east").get(SECRETS, { name: "remote", namespace: ROOT });
  await server("east").update(SECRETS, { ...secret, data });
  await waitUntil("it is taken over", () => endpoints()[0] === "west 198.51.100.12");
  await waitUntil(
    "the old Service is gone",
    () => ![...context.objects.keys()].some((key) => key.includes("old")),
  );
  const broken = await server("east").get(SECRETS, { name: "remote", namespace: ROOT });
  await server("east").update(SECRETS, { ...broken, data: { west: "" } });
  await waitUntil("it is told", () => remote.problems().length === 1);
  expect(endpoints()).toEqual(["west 198.51.100.12"]);
});
