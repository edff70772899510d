import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { connect, createServer } from "node:net";
import type { AddressInfo, Server } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { SERVICES } from "#cluster/api/resources.ts";
import { FakeApi } from "#cluster/client/testing/fake-api.ts";
import { waitUntil } from "#cluster/client/testing/wait-until.ts";
import { gatewayPorts } from "./gateway.ts";
import { localhostPorts } from "./plan.ts";
import { runLocalhost } from "./run.ts";

let dir: string;
let api: FakeApi;
let stop: AbortController;

beforeEach(async () => {
  dir = await mkdtemp(path.join(tmpdir(), "lt-h5-"));
  api = new FakeApi();
  stop = new AbortController();
});
afterEach(async () => {
  stop.abort();
  await rm(dir, { recursive: true });
});

/** 127.0.0.2 plays the LoadBalancer address. */
async function createBalanced(name: string, port: number): Promise<void> {
  await api.create(SERVICES, {
    metadata: { name, namespace: "default" },
    spec: { type: "LoadBalancer", ports: [{ name: "http", port }] },
    status: { loadBalancer: { ingress: [{ ip: "127.0.0.2" }] } },
  });
}

function start(isPortFree: (port: number) => Promise<boolean> = async () => true): Promise<void> {
  return runLocalhost({ client: api, dir, signal: stop.signal, isPortFree, log: () => undefined });
}

async function annotated(name: string): Promise<number | undefined> {
  return localhostPorts(await api.get(SERVICES, { namespace: "default", name }))["http"];
}

describe("localhost", () => {
  test("has the bootstrap before anything else", () => {
    void start();
    expect(existsSync(path.join(dir, "bootstrap.yaml"))).toBe(true);
  });

  test("writes files and annotations, and skips ports that others have", async () => {
    const running = start(async (port) => port !== 8080);
    await createBalanced("web", 80);
    await waitUntil("the port is remembered", async () => (await annotated("web")) === 8081);
    expect(await readFile(path.join(dir, "lds.yaml"), "utf8")).toContain("port_value: 8081");
    expect(await readFile(path.join(dir, "cds.yaml"), "utf8")).toContain("address: 127.0.0.2");
    await api.delete(SERVICES, { namespace: "default", name: "web" });
    await waitUntil("the route is gone", async () => {
      return !(await readFile(path.join(dir, "lds.yaml"), "utf8")).includes("8081");
    });
    stop.abort();
    await running;
  });

  test("forgets the ports of a Service that is no load balancer any more", async () => {
    void start();
    await createBalanced("web", 80);
    await waitUntil("the port is remembered", async () => (await annotated("web")) === 8080);
    const body = { spec: { type: "ClusterIP" } };
    await api.patch(SERVICES, { namespace: "default", name: "web" }, { type: "merge", body });
    await waitUntil("it is forgotten", async () => (await annotated("web")) === undefined);
  });
});

// The runner of tests says where it is.
const envoy = [process.env["ENVOY_PATH"] ?? ""].find((file) => existsSync(file));
const withEnvoy = envoy === undefined ? test.skip : test;

async function listen(address: string, text: string): Promise<Server> {
  const server = createServer((socket) => socket.on("error", () => undefined).end(text));
  server.listen(0, address);
  await once(server, "listening");
  return server;
}

async function hear(port: number): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  let heard = "";
  socket.on("data", (data) => {
    heard += data.toString();
  });
  await new Promise((resolve) => {
    socket.on("error", resolve);
    socket.on("close", resolve);
  });
  return heard;
}

describe("the gateway (needs Envoy: ENVOY_PATH)", () => {
  withEnvoy(
    "carries connections from localhost, and is known again after a restart",
    async () => {
      const backend = await listen("127.0.0.2", "hello");
      const { port } = backend.address() as AddressInfo;
      const isFree = async (candidate: number): Promise<boolean> => candidate > port + 1;
      void start(isFree);
      const args = ["-c", path.join(dir, "bootstrap.yaml"), "--concurrency", "1"];
      const flags = ["--disable-hot-restart", "-l", "error"];
      const child = spawn(envoy ?? "", [...args, ...flags], { cwd: dir });
      try {
        await createBalanced("web", port);
        await waitUntil("it is heard", async () => (await hear(port + 2)) === "hello", 10_000);
        expect(await gatewayPorts(dir)).toEqual(new Set([port + 2]));
        stop.abort();
        stop = new AbortController();
        // The port is taken now, by the gateway itself.
        void start(async (candidate) => candidate > port + 10);
        await createBalanced("later", port);
        await waitUntil("the next one has its port", async () => {
          return (await annotated("later")) === port + 11;
        });
        expect(await hear(port + 2)).toBe("hello");
        expect(await annotated("web")).toBe(port + 2);
      } finally {
        child.kill();
        await once(child, "exit");
        backend.close();
      }
    },
    20_000,
  );
});
