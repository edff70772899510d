/** Pilot alone, on a folder of YAML: how long until the last of many proxies has a changed weight. */

import { spawn } from "node:child_process";
import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { VIRTUAL_HOST } from "#pilot/cache/type-url.ts";
import { AdsClient, sidecarNode } from "#test/features/ads-client.ts";
import type { Row } from "./report.ts";
import { summarize } from "./report.ts";

const SERVICES = 200;
const ENDPOINTS = 4;
const PROXIES = 50;
const CHANGES = 20;
const BOUND_MS = 30_000;
const LATEEN = path.join(import.meta.dirname, "..", "..", "bin", "lateen.js");

export async function measureDiscovery(): Promise<Row[]> {
  const folder = await mkdtemp(path.join(tmpdir(), "lateen-bench-"));
  await writeFile(path.join(folder, "services.yaml"), servicesYaml());
  await changeWeight(folder, 0);
  const args = ["pilot", "--config-dir", folder, "--grpc", "127.0.0.1:0", "--insecure"];
  const pilot = spawn(process.execPath, [LATEEN, ...args], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const clients: AdsClient[] = [];
  try {
    const port = await readyPort(pilot.stdout);
    for (let index = 0; index < PROXIES; index++) {
      clients.push(new AdsClient(port, sidecarNode(`client-${index}`, "default")));
    }
    await untilAll(clients, (client) => client.of(VIRTUAL_HOST).size >= SERVICES);
    const durations: number[] = [];
    for (let change = 1; change <= CHANGES; change++) {
      for (const client of clients) client.clear();
      const changed = performance.now();
      await changeWeight(folder, change);
      await untilAll(clients, (client) =>
        client.received.some(({ type }) => type === VIRTUAL_HOST),
      );
      durations.push(performance.now() - changed);
    }
    const world = `${SERVICES} services, ${PROXIES} proxies`;
    return [{ title: `weight → the last proxy (${world})`, value: summarize(durations) }];
  } finally {
    for (const client of clients) client.close();
    pilot.kill("SIGTERM");
    await rm(folder, { recursive: true, force: true });
  }
}

async function readyPort(stdout: NodeJS.ReadableStream): Promise<number> {
  for await (const line of createInterface({ input: stdout })) {
    const port = /^READY .*:(\d+)$/.exec(line)?.[1];
    if (port !== undefined) return Number(port);
  }
  throw new Error("pilot ended before it was ready");
}

/** Checked on every turn of the loop: a timer would be coarser than what is measured. */
async function untilAll(
  clients: readonly AdsClient[],
  has: (client: AdsClient) => boolean,
): Promise<void> {
  const deadline = performance.now() + BOUND_MS;
  while (!clients.every(has)) {
    if (performance.now() > deadline) throw new Error(`not all proxies had it in ${BOUND_MS} ms`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

async function changeWeight(folder: string, change: number): Promise<void> {
  const weight = (change % 10) * 10;
  const route = (subset: string, share: number): object => ({
    destination: { host: "svc-0", subset },
    weight: share,
  });
  const virtualService = {
    apiVersion: "networking.istio.io/v1",
    kind: "VirtualService",
    metadata: { name: "svc-0", namespace: "default" },
    spec: { hosts: ["svc-0"], http: [{ route: [route("v1", weight), route("v2", 100 - weight)] }] },
  };
  const file = path.join(folder, "route.yaml");
  await writeFile(`${file}.new`, JSON.stringify(virtualService));
  await rename(`${file}.new`, file);
}

/** JSON documents are YAML documents. */
function servicesYaml(): string {
  const documents = Array.from({ length: SERVICES }, (_, index) => servicePair(index)).flat();
  documents.push({
    apiVersion: "networking.istio.io/v1",
    kind: "DestinationRule",
    metadata: { name: "svc-0", namespace: "default" },
    spec: {
      host: "svc-0",
      subsets: ["v1", "v2"].map((name) => ({ name, labels: { version: name } })),
    },
  });
  return documents.map((document) => JSON.stringify(document)).join("\n---\n");
}

function servicePair(index: number): object[] {
  const name = `svc-${index}`;
  const address = (endpoint: number): string => `10.0.${index}.${endpoint + 1}`;
  return [
    {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name, namespace: "default" },
      spec: {
        clusterIP: `10.96.${index}.1`,
        selector: { app: name },
        ports: [{ name: "http", port: 80, targetPort: 8080, protocol: "TCP" }],
      },
    },
    {
      apiVersion: "discovery.k8s.io/v1",
      kind: "EndpointSlice",
      metadata: { name, namespace: "default", labels: { "kubernetes.io/service-name": name } },
      addressType: "IPv4",
      endpoints: Array.from({ length: ENDPOINTS }, (_, endpoint) => ({
        addresses: [address(endpoint)],
        conditions: { ready: true },
      })),
      ports: [{ name: "http", port: 8080, protocol: "TCP" }],
    },
  ];
}
