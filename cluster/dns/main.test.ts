import { spawn } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import type { DnsConfig } from "#cluster/api/process-config.ts";
import { SERVICES } from "#cluster/api/resources.ts";
import { startTestServer } from "#cluster/apiserver/testing/test-server.ts";
import { createClient } from "#cluster/client/http-client.ts";
import { loadKubeconfig } from "#cluster/client/kubeconfig.ts";
import { waitUntil } from "#cluster/client/testing/wait-until.ts";
import { ask } from "#cluster/dns/testing/ask.ts";

const main = join(import.meta.dirname, "main.ts");

/**
 * Free for datagrams and connections, and below the ports that the kernel gives to those who name
 * none: nobody else comes upon it before the process has it.
 */
async function freePort(): Promise<number> {
  for (;;) {
    const port = 10_000 + Math.floor(Math.random() * 20_000);
    const datagrams = createSocket("udp4").bind(port, "127.0.0.1");
    const connections = createServer().listen(port, "127.0.0.1");
    const both = [once(datagrams, "listening"), once(connections, "listening")];
    const isFree = (await Promise.allSettled(both)).every(({ status }) => status === "fulfilled");
    datagrams.close();
    connections.close();
    if (isFree) return port;
  }
}

test("the process waits for an API server that isn't there yet", async () => {
  const server = await startTestServer();
  await server.stop();
  const config: DnsConfig = {
    kubeconfig: server.kubeconfig,
    network: server.config.network,
    listen: { address: "127.0.0.1", port: await freePort() },
    upstreams: [],
  };
  const file = join(server.folder, "dns.json");
  await writeFile(file, JSON.stringify(config));
  const { NODE_OPTIONS: _jests, ...env } = process.env;
  const child = spawn(process.execPath, [main, file], { env, stdio: ["ignore", "pipe", "pipe"] });
  try {
    const ready = Promise.race([once(child.stdout, "data"), once(child, "exit")]);
    await once(child.stderr, "data");
    child.stderr.resume();
    await server.start();
    expect(String((await ready)[0])).toBe("READY\n");
  } finally {
    child.kill("SIGKILL");
    await server.remove();
  }
}, 30_000);

test("the process follows a real API server, and answers while that is away", async () => {
  const server = await startTestServer();
  const client = createClient(await loadKubeconfig(server.kubeconfig));
  const port = await freePort();
  const config: DnsConfig = {
    kubeconfig: server.kubeconfig,
    network: server.config.network,
    listen: { address: "127.0.0.1", port },
    upstreams: [],
  };
  const file = join(server.folder, "dns.json");
  await writeFile(file, JSON.stringify(config));
  const { NODE_OPTIONS: _jests, ...env } = process.env;
  const child = spawn(process.execPath, [main, file], { env, stdio: ["ignore", "pipe", "ignore"] });
  try {
    const ready = await Promise.race([once(child.stdout, "data"), once(child, "exit")]);
    expect(String(ready[0])).toBe("READY\n");
    const kubernetes = "kubernetes.default.svc.cluster.local";
    const before = await ask(kubernetes, "A", { port });
    expect(before.answers).toEqual([`${kubernetes} A 10.229.0.1`]);
    await server.stop();
    expect(await ask(kubernetes, "A", { port })).toEqual(before);
    await server.start();
    const spec = { clusterIP: "10.229.0.77", ports: [{ port: 80 }] };
    await client.create(SERVICES, { metadata: { name: "web", namespace: "default" }, spec });
    await waitUntil("the new name", async () => {
      const { answers } = await ask("web.default.svc.cluster.local", "A", { port });
      return answers[0]?.endsWith(" A 10.229.0.77") ?? false;
    });
    child.kill("SIGTERM");
    expect(await once(child, "exit")).toEqual([0, null]);
  } finally {
    child.kill("SIGKILL");
    client.close();
    await server.remove();
  }
}, 30_000);
