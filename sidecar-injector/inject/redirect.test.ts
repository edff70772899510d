import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { DEFAULT_CONFIG } from "./config.ts";
import { redirectRuleset } from "./redirect.ts";
import { readSettings } from "./settings.ts";

const NFT = "/usr/sbin/nft";
const POD = `lt-h8-pod-${process.pid}`;
const WORLD = `lt-h8-world-${process.pid}`;
const POD_IP = "192.0.2.2";
const WORLD_IP = "192.0.2.1";
const possible = process.getuid?.() === 0 && existsSync(NFT);

/** Answers every connection with the port on which it arrived. */
const SERVER = `const net = require("node:net"); let left = process.argv.length - 1;
for (const port of process.argv.slice(1))
  net.createServer((s) => s.end(port)).listen(Number(port), "0.0.0.0", () => --left || console.log("ready"));`;

/** Connects as a user, and prints what it is answered, or the error's code. */
const CLIENT = `const net = require("node:net"); const [uid, host, port, localAddress] = process.argv.slice(1);
process.setgid(Number(uid)); process.setuid(Number(uid));
const s = net.connect({ host, port: Number(port), localAddress: localAddress || undefined });
s.setTimeout(2000, () => s.destroy(new Error("timeout")));
s.on("data", (d) => process.stdout.write(d)).on("error", (e) => process.stdout.write(e.code ?? e.message));`;

function ip(...args: string[]): void {
  execFileSync("ip", args);
}

const servers: ChildProcess[] = [];

async function serve(namespace: string, ports: number[]): Promise<void> {
  const args = ["netns", "exec", namespace, process.execPath, "-e", SERVER, ...ports.map(String)];
  const child = spawn("ip", args, { stdio: ["ignore", "pipe", "inherit"] });
  servers.push(child);
  await once(child.stdout, "data");
}

function connect(from: string, uid: number, to: string, port: number, source = ""): string {
  const client = [process.execPath, "-e", CLIENT, String(uid), to, String(port), source];
  return execFileSync("ip", ["netns", "exec", from, ...client], { encoding: "utf8" });
}

(possible ? describe : describe.skip)("the redirect in a pod's namespace", () => {
  beforeAll(async () => {
    for (const namespace of [POD, WORLD]) {
      ip("netns", "add", namespace);
      ip("-n", namespace, "link", "set", "lo", "up");
    }
    ip("-n", WORLD, "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", POD);
    for (const [namespace, address] of [
      [POD, POD_IP],
      [WORLD, WORLD_IP],
    ] as const) {
      ip("-n", namespace, "addr", "add", `${address}/24`, "dev", "eth0");
      ip("-n", namespace, "link", "set", "eth0", "up");
    }
    const annotations = { "traffic.sidecar.istio.io/excludeOutboundPorts": "25" };
    const read = readSettings({ annotations, config: DEFAULT_CONFIG, gateway: false });
    if (!read.ok) throw new Error("wrong annotations");
    const ruleset = redirectRuleset(read.settings.redirect);
    // Twice, as when the init container is started again.
    for (const _ of [1, 2]) execFileSync("ip", ["netns", "exec", POD, NFT, ruleset]);
    await Promise.all([serve(POD, [15_001, 15_006, 15_021, 15_090, 9080]), serve(WORLD, [25, 80])]);
  }, 20_000);

  afterAll(async () => {
    for (const child of servers) {
      child.kill("SIGTERM");
      await once(child, "exit");
    }
    for (const namespace of [POD, WORLD]) ip("netns", "del", namespace);
  });

  const APP = 1000;
  const ENVOY = 1337;

  test.each([
    ["the app's requests go to Envoy", POD, APP, WORLD_IP, 80, "", "15001"],
    ["root's too", POD, 0, WORLD_IP, 80, "", "15001"],
    ["Envoy's own leave the pod", POD, ENVOY, WORLD_IP, 80, "", "80"],
    ["an excluded port leaves the pod", POD, APP, WORLD_IP, 25, "", "25"],
    ["what comes in goes to Envoy", WORLD, APP, POD_IP, 9080, "", "15006"],
    ["readiness and metrics come in directly", WORLD, APP, POD_IP, 15_021, "", "15021"],
    ["loopback stays", POD, APP, "127.0.0.1", 9080, "", "9080"],
    ["the app reaches its own address directly", POD, APP, POD_IP, 9080, "", "9080"],
    [
      "Envoy reaches the pod's own service through its inbound",
      POD,
      ENVOY,
      POD_IP,
      9080,
      "",
      "15006",
    ],
    ["Envoy's inbound reaches the app", POD, ENVOY, POD_IP, 9080, "127.0.0.6", "9080"],
  ])("%s", (_name, from, uid, to, port, source, expected) => {
    expect(connect(from, uid, to, port, source)).toBe(expected);
  });
});
