/**
 * One pilot, one Envoy as a client's sidecar, and workloads that say what they got. Connections come
 * in by a PROXY header, which tells the destination that a redirected one would have had.
 */

import http from "node:http";
import net from "node:net";
import { afterAll, afterEach, beforeAll, describe, expect } from "@jest/globals";
import { waitUntil } from "#cluster/client/testing/wait-until.ts";
import { type EnvoyProcess, startEnvoy } from "#test/features/envoy-process.ts";
import { type PilotWorld, startPilot } from "#test/features/pilot-world.ts";
import { findEnvoy } from "#test/golden/envoy-validate.ts";

export interface MeshCall {
  readonly host: string;
  readonly path?: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Where the client connects to; the virtual address of `web` at first. */
  readonly address?: string;
  readonly port?: number;
}

export interface MeshAnswer {
  /** 0: the connection ended without an answer. */
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  /** Who answered, with what it was asked; absent where the proxy answered itself. */
  readonly workload?: string;
  /** The proxy's port on the connection by which it asked. */
  readonly connection?: number;
  readonly path?: string;
  readonly seen?: http.IncomingHttpHeaders;
}

/** Workloads, each with an address of its own on loopback, behind one server. */
const WORKLOADS: ReadonlyMap<string, string> = new Map([
  ["127.30.0.1", "web-v1"],
  ["127.30.0.2", "web-v2"],
  ["127.30.0.3", "other"],
  ["127.30.0.9", "outside"],
  ["127.0.0.1", "local"],
]);

export interface Mesh {
  apply(yaml: string): void;
  call(call: MeshCall): Promise<MeshAnswer>;
  /** A connection of the client's to this address, for what isn't HTTP. */
  connect(address: string, port: number): net.Socket;
  /** Waits for an answer like this one, which then is what the configuration gives. */
  answers(call: MeshCall, like: object): Promise<void>;
  /** How often each workload was called since the last test. */
  readonly calls: ReadonlyMap<string, number>;
  /** The port that all workloads listen on. */
  readonly port: number;
}

/** A rule of the name `rule` with this text as its spec. */
export function virtualService(spec: string): string {
  return istio("VirtualService", "rule", spec);
}

export function istio(kind: string, name: string, spec: string, namespace = "default"): string {
  return `
apiVersion: networking.istio.io/v1
kind: ${kind}
metadata: { name: ${name}, namespace: ${namespace} }
spec: ${spec}
---`;
}

/** Behaviours that a mesh of `web` (two versions) and `other` shows; skipped without an Envoy. */
export function describeMesh(feature: string, behaviours: (mesh: Mesh) => void): void {
  const envoy = findEnvoy();
  (envoy === undefined ? describe.skip : describe)(feature, () => {
    const running = new RunningMesh();
    beforeAll(() => running.start(envoy ?? ""), 60_000);
    afterEach(() => running.reset());
    afterAll(() => running.stop());
    behaviours(running);
  });
}

class RunningMesh implements Mesh {
  readonly calls = new Map<string, number>();
  port = 0;
  #entryPort = 0;
  #applied: string[] = [];
  #server: http.Server | undefined;
  #pilot: PilotWorld | undefined;
  #proxy: EnvoyProcess | undefined;

  async start(envoy: string): Promise<void> {
    this.#server = http.createServer((request, response) => this.#answer(request, response));
    this.port = await listen(this.#server, "0.0.0.0");
    this.#entryPort = await freePort();
    const world = base(this.port) + entry(this.#entryPort, await freePort());
    this.#pilot = await startPilot(world);
    this.#proxy = startEnvoy(envoy, this.#pilot.server.port, {
      id: "sidecar~192.0.2.250~client.default~default.svc.cluster.local",
      metadata: { NAMESPACE: "default", LABELS: { app: "client" }, LATEEN_CERTIFICATE: "NONE" },
    });
    await this.answers({ host: "web.example.org" }, { status: 200 });
    this.calls.clear();
  }

  apply(yaml: string): void {
    this.#applied.push(yaml);
    this.#pilot?.apply(yaml);
  }

  reset(): void {
    for (const yaml of this.#applied) this.#pilot?.delete(yaml);
    this.#applied = [];
    this.calls.clear();
    expect(this.#pilot?.rejections).toEqual([]);
  }

  async stop(): Promise<void> {
    await this.#proxy?.stop();
    await this.#pilot?.close();
    this.#server?.close();
  }

  async answers(call: MeshCall, like: object): Promise<void> {
    let last: MeshAnswer | undefined;
    const isLike = async (): Promise<boolean> => {
      last = await this.call(call);
      try {
        expect(last).toMatchObject(like);
        return true;
      } catch {
        return false;
      }
    };
    await waitUntil("the answer", isLike, 20_000).catch(() => expect(last).toMatchObject(like));
  }

  call(call: MeshCall): Promise<MeshAnswer> {
    const { host, path = "/", method = "GET", address = "192.0.2.1", port = 80 } = call;
    const createConnection = (): net.Socket => this.connect(address, port);
    const headers = { ...call.headers, host };
    return new Promise((resolve) => {
      const request = http.request({ createConnection, path, method, headers });
      request.on("response", (response) => void readAnswer(response).then(resolve));
      request.on("error", () => resolve({ status: 0, headers: {} }));
      request.end();
    });
  }

  connect(address: string, port: number): net.Socket {
    const socket = net.connect(this.#entryPort, "127.0.0.1");
    socket.write(`PROXY TCP4 192.0.2.250 ${address} 1024 ${port}\r\n`);
    return socket;
  }

  #answer(request: http.IncomingMessage, response: http.ServerResponse): void {
    const workload = WORKLOADS.get(request.socket.localAddress ?? "") ?? "unknown";
    this.calls.set(workload, (this.calls.get(workload) ?? 0) + 1);
    const status = Number(/\/status\/(\d+)/.exec(request.url ?? "")?.[1] ?? 200);
    if (request.url?.startsWith("/never") === true) return;
    response.writeHead(status, { "x-workload": workload });
    const { url: path, headers: seen } = request;
    const connection = request.socket.remotePort;
    response.end(JSON.stringify({ workload, connection, path, seen }));
  }
}

async function readAnswer(response: http.IncomingMessage): Promise<MeshAnswer> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  const { statusCode: status = 0, headers } = response;
  const asked =
    headers["x-workload"] === undefined
      ? {}
      : (JSON.parse(Buffer.concat(chunks).toString() || "{}") as object);
  return { status, headers, ...asked };
}

async function listen(server: net.Server, address: string): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, address, resolve));
  return (server.address() as net.AddressInfo).port;
}

async function freePort(): Promise<number> {
  const server = net.createServer();
  const port = await listen(server, "127.0.0.1");
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function base(port: number): string {
  const entryOf = (name: string, vip: string, endpoints: string): string =>
    istio(
      "ServiceEntry",
      name,
      `
  hosts: [${name}.example.org]
  addresses: [${vip}]
  ports: [{ number: 80, name: http, protocol: HTTP }, { number: 9000, name: tcp, protocol: TCP }]
  location: MESH_INTERNAL
  resolution: STATIC
  endpoints:
${endpoints}`,
    );
  const endpoint = (address: string, labels: string): string =>
    `  - { address: ${address}, ports: { http: ${port}, tcp: ${port} }, labels: ${labels} }\n`;
  return [
    entryOf(
      "web",
      "192.0.2.1",
      endpoint("127.30.0.1", "{ version: v1 }") + endpoint("127.30.0.2", "{ version: v2 }"),
    ),
    entryOf("other", "192.0.2.2", endpoint("127.30.0.3", "{ version: v1 }")),
    istio(
      "DestinationRule",
      "web",
      `
  host: web.example.org
  subsets: [{ name: v1, labels: { version: v1 } }, { name: v2, labels: { version: v2 } }]`,
    ),
  ].join("");
}

/** Entries on ports of our own, since other tests have sidecars too. */
function entry(outboundPort: number, inboundPort: number): string {
  const move = (listener: string, context: string, port: number): string => `
  - applyTo: LISTENER
    match: { context: ${context}, listener: { name: ${listener} } }
    patch:
      operation: MERGE
      value: { address: { socket_address: { address: 127.0.0.1, port_value: ${port} } } }`;
  return istio(
    "EnvoyFilter",
    "entry",
    `
  configPatches:${move("virtualOutbound", "SIDECAR_OUTBOUND", outboundPort)}${move("virtualInbound", "SIDECAR_INBOUND", inboundPort)}
  - applyTo: LISTENER_FILTER
    match: { context: SIDECAR_OUTBOUND, listener: { name: virtualOutbound } }
    patch:
      operation: INSERT_FIRST
      value:
        name: envoy.filters.listener.proxy_protocol
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol`,
  ).replace("networking.istio.io/v1\n", "networking.istio.io/v1alpha3\n");
}
