/**
 * Runs in node 1's namespace: the proxy with an API server in memory, and packets between pods,
 * nodes and host of a real network. Prints what was seen.
 */

import { execFile, spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { connect } from "node:net";
import { promisify } from "node:util";
import type { ServiceSpec } from "#cluster/api/generated/core-v1.ts";
import type { EndpointSlice } from "#cluster/api/generated/discovery-v1.ts";
import type { ClusterNetwork } from "#cluster/api/process-config.ts";
import { ENDPOINT_SLICES, SERVICES } from "#cluster/api/resources.ts";
import { FakeApi } from "#cluster/client/testing/fake-api.ts";
import { waitUntil } from "#cluster/client/testing/wait-until.ts";
import { runServiceProxy } from "#cluster/proxy/run.ts";

interface Place {
  namespace: string;
  address: string;
}

interface World {
  host: string;
  network: ClusterNetwork;
  nodes: { namespace: string; nodeAddress: string; pods: Place[] }[];
}

const execute = promisify(execFile);
const { host, network, nodes } = JSON.parse(process.argv[2] ?? "") as World;
const [one, two] = nodes;
const podA = one?.pods[0] as Place;
const podB = one?.pods[1] as Place;
const podC = two?.pods[0] as Place;
const nodeAddress = one?.nodeAddress ?? "";
const vip = (n: number) => network.serviceCidr.replace("0.0/16", `1.${n}`);
const external = network.loadBalancerCidr.replace("0/24", "1");
const api = new FakeApi();
const stop = new AbortController();
const children: ChildProcess[] = [];
const script = (name: string) => new URL(name, import.meta.url).pathname;

async function serve(pod: Place, name: string): Promise<void> {
  const child = spawn(
    "nsenter",
    [`--net=/var/run/netns/${pod.namespace}`, process.execPath, script("./pod-server.ts"), name],
    { stdio: ["pipe", "pipe", "inherit"] },
  );
  children.push(child);
  await once(child.stdout, "data");
}

async function ask(from: string, address: string, port: number, count = 1): Promise<string[]> {
  const args = [process.execPath, script("./probe.ts"), address, String(port), String(count)];
  const { stdout } = await execute("nsenter", [`--net=/var/run/netns/${from}`, ...args]);
  return JSON.parse(stdout) as string[];
}

async function publish(name: string, spec: ServiceSpec, pods: readonly Place[]): Promise<void> {
  const ports = [{ port: 80, protocol: "TCP", nodePort: spec.ports?.[0]?.nodePort }];
  await api.create(SERVICES, {
    metadata: { name, namespace: "default" },
    spec: { ports, ...spec },
    status: { loadBalancer: { ingress: spec.type === "LoadBalancer" ? [{ ip: external }] : [] } },
  });
  await api.create(ENDPOINT_SLICES, sliceOf(name, pods, spec.ports?.[0]?.protocol));
}

function sliceOf(name: string, pods: readonly Place[], protocol = "TCP"): EndpointSlice {
  return {
    metadata: {
      name: `${name}-1`,
      namespace: "default",
      labels: { "kubernetes.io/service-name": name },
    },
    addressType: "IPv4",
    ports: [{ port: 8080, protocol }],
    endpoints: pods.map((pod) => ({
      addresses: [pod.address],
      nodeName: pod === podC ? "node-2" : "node-1",
      conditions: { ready: true },
    })),
  };
}

async function replaceEndpoints(name: string, pods: readonly Place[], protocol = "TCP") {
  await api.update(ENDPOINT_SLICES, sliceOf(name, pods, protocol));
}

/** One UDP socket, so one flow: whoever answers now. */
async function askUdp(socket: ReturnType<typeof createSocket>, address: string): Promise<string> {
  socket.send("x", 53, address);
  const [data] = (await Promise.race([
    once(socket, "message"),
    new Promise((resolve) => setTimeout(() => resolve(["none"]), 50)),
  ])) as [Buffer | string];
  return String(data).split(" ")[0] ?? "";
}

async function refused(address: string): Promise<boolean> {
  const socket = connect(80, address);
  return new Promise((resolve) => {
    socket.on("error", () => resolve(true));
    socket.on("connect", () => {
      socket.destroy();
      resolve(false);
    });
  });
}

async function look(): Promise<object> {
  const service = (n: number): ServiceSpec => ({ type: "ClusterIP", clusterIP: vip(n) });
  await publish("all", service(1), [podA, podB, podC]);
  await publish("self", service(2), [podA]);
  await publish("remote", service(3), [podC]);
  await publish("none", service(4), []);
  await publish("sticky", { ...service(5), sessionAffinity: "ClientIP" }, [podA, podB, podC]);
  const nodePort = [{ port: 80, nodePort: 30080 }];
  const lb: ServiceSpec = { ...service(6), type: "LoadBalancer", ports: nodePort };
  await publish("lb", lb, [podC]);
  const localPort = [{ port: 80, nodePort: 30081 }];
  const local: ServiceSpec = { ...service(7), type: "NodePort", ports: localPort };
  await publish("local", { ...local, externalTrafficPolicy: "Local" }, [podA, podC]);
  const udpPort = [{ port: 53, protocol: "UDP" }];
  await publish("udp", { ...service(8), ports: udpPort }, [podA]);
  await waitUntil("the proxy is ready", async () => !(await refused(vip(1))));
  const node = one?.namespace ?? "";
  const asked: Record<string, Promise<string[]>> = {
    podToAll: ask(podA.namespace, vip(1), 80, 40).then(distinct),
    podToItself: ask(podA.namespace, vip(2), 80),
    podToNeighbour: ask(podB.namespace, vip(2), 80),
    podToOtherNode: ask(podA.namespace, vip(3), 80),
    hostToOtherNode: ask(host, vip(3), 80),
    hostToLoadBalancer: ask(host, external, 80),
    podToLoadBalancer: ask(podA.namespace, external, 80),
    hostToNodePort: ask(host, nodeAddress, 30080),
    hostToLocalNodePort: ask(host, nodeAddress, 30081, 10).then(distinct),
    nodeToVip: ask(node, vip(3), 80),
    noEndpoints: ask(podA.namespace, vip(4), 80),
    noEndpointsFromHost: ask(host, vip(4), 80),
    unknownPort: ask(podA.namespace, vip(1), 81),
    unknownPortFromHost: ask(host, vip(1), 81),
    unknownPortFromNode: ask(node, vip(1), 81),
    sticky: ask(podB.namespace, vip(5), 80, 10).then((heard) => [`${distinct(heard).length}`]),
  };
  const names = Object.keys(asked);
  const heard = await Promise.all(Object.values(asked));
  const seen = Object.fromEntries(names.map((name, at) => [name, heard[at]]));
  return { ...seen, ...(await lookAtRemoval()) };
}

function distinct(heard: readonly string[]): string[] {
  return [...new Set(heard)].toSorted((a, b) => (a < b ? -1 : 1));
}

async function lookAtRemoval(): Promise<object> {
  await replaceEndpoints("all", [podB]);
  const startMs = performance.now();
  await replaceEndpoints("self", []);
  await waitUntil("the endpoint is gone", () => refused(vip(2)));
  const removalMs = performance.now() - startMs;
  const socket = createSocket("udp4");
  const before = await askUdp(socket, vip(8));
  await replaceEndpoints("udp", [podB], "UDP");
  let after = before;
  await waitUntil("the UDP flow moves", async () => {
    after = await askUdp(socket, vip(8));
    return after === "b";
  });
  socket.close();
  return { removalMs, udp: [before, after], podToRest: await ask(podA.namespace, vip(1), 80) };
}

const lines: string[] = [];
try {
  await Promise.all([serve(podA, "a"), serve(podB, "b"), serve(podC, "c")]);
  const log = (line: string) => lines.push(line);
  const { signal } = stop;
  const running = runServiceProxy({ client: api, network, nodeName: "node-1", signal, log });
  const seen = await look();
  stop.abort();
  await running;
  // The rules stay when the proxy is gone.
  const afterwards = await ask(podA.namespace, vip(3), 80);
  console.log(JSON.stringify({ ...seen, afterwards, lines }));
} finally {
  stop.abort();
  for (const child of children) child.kill();
}
