/** Everything that can end a cluster too early, and what comes after. */

import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { KUBECTL, ROOT, lateen, runCommand, startCluster } from "./cluster.ts";
import type { CommandResult, TestCluster } from "./cluster.ts";
import { tracesOf } from "./traces.ts";

/** What `up` prints when a stage is behind it. */
const STAGES = [
  "tools",
  "addresses and certificates",
  "network namespaces",
  "control plane",
  "localhost gateway",
  "ingress gateway",
];

/** A foreground `up`, with all that it has printed. */
interface Up {
  child: ChildProcess;
  output: string[];
  /** Resolves once a line contains the text; rejects when the command ends without. */
  printed(text: string): Promise<void>;
  ended: Promise<number>;
}

function startUp(where: readonly string[]): Up {
  const args = [path.join(ROOT, "bin", "lateen.js"), "up", "--demo", ...where];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  const output: string[] = [];
  const waiting: (() => void)[] = [];
  createInterface({ input: child.stdout }).on("line", (line) => {
    output.push(line);
    for (const wake of waiting.splice(0)) wake();
  });
  const ended = new Promise<number>((resolve) => {
    child.on("close", (code) => {
      resolve(code ?? 137);
      for (const wake of waiting.splice(0)) wake();
    });
  });
  const printed = async (text: string): Promise<void> => {
    while (!output.some((line) => line.includes(text))) {
      if (child.exitCode !== null) throw new Error(`no "${text}" in ${output.join("\n")}`);
      await new Promise<void>((wake) => waiting.push(wake));
    }
  };
  return { child, output, printed, ended };
}

describe("an up that is cut off", () => {
  const name = "cutoff";
  let home = "";
  let where: string[] = [];

  beforeAll(async () => {
    home = await mkdtemp(path.join(tmpdir(), "lateen-e2e-"));
    where = ["--name", name, "--home", home];
  });

  afterAll(async () => {
    await lateen(["down", "--purge", ...where]);
    await rm(home, { recursive: true, force: true });
  }, 60_000);

  test("by Ctrl-C, even twice, at any stage, leaves nothing and says so", async () => {
    for (const stage of STAGES) {
      const up = startUp(where);
      await up.printed(stage);
      up.child.kill("SIGINT");
      up.child.kill("SIGINT");
      expect([stage, await up.ended]).toEqual([stage, 130]);
      expect(up.output.at(-1)).toBe(`cluster '${name}' was stopped before it was up`);
      expect(await tracesOf({ name, home })).toEqual([]);
    }
  }, 120_000);

  test("by kill -9 at any stage is cleaned up by down", async () => {
    for (const stage of STAGES) {
      const up = startUp(where);
      await up.printed(stage);
      up.child.kill("SIGKILL");
      await up.ended;
      const down = await lateen(["down", ...where]);
      expect([stage, down.code, down.stderr]).toEqual([stage, 0, ""]);
      expect(await tracesOf({ name, home })).toEqual([]);
    }
  }, 120_000);
});

describe("a cluster that lost something", () => {
  let cluster: TestCluster;
  const where = (): string[] => ["--name", cluster.name, "--home", cluster.home];

  beforeAll(async () => {
    cluster = await startCluster("lossy", ["--nodes", "2"]);
  }, 120_000);

  afterAll(async () => {
    await cluster.down();
  }, 60_000);

  test("its supervisor: up with fewer nodes goes on with those", async () => {
    process.kill(await pidOf(cluster, "supervisor"), "SIGKILL");
    const up = await lateen(["up", "--detach", "--nodes", "1", ...where()]);
    expect([up.code, up.stderr]).toEqual([0, ""]);
    const { nodes } = await cluster.status();
    expect(nodes.map(({ name, ready }) => [name, ready])).toEqual([["node-1", true]]);
    const traces = await tracesOf(cluster);
    expect(traces.filter((line) => line.includes("node-2"))).toEqual([]);
  }, 120_000);

  test("all of its processes, containers and namespaces, as by a reboot: up brings it back", async () => {
    const { components } = await cluster.status();
    for (const { pid } of components) if (pid !== null) process.kill(pid, "SIGKILL");
    await killContainers(cluster);
    const namespaces = (await runCommand("ip", ["netns", "list"])).stdout
      .split("\n")
      .map((line) => line.split(" ")[0] ?? "")
      .filter((line) => line.startsWith(`lateen-${cluster.name}-`));
    for (const namespace of namespaces) await runCommand("ip", ["netns", "del", namespace]);
    const up = await lateen(["up", "--detach", ...where()]);
    expect([up.code, up.stderr]).toEqual([0, ""]);
    const status = await cluster.status();
    expect(status.components.every(({ ready }) => ready)).toBe(true);
  }, 120_000);

  test("its files: down says which is damaged, and with --purge leaves nothing", async () => {
    const root = path.join(cluster.home, cluster.name);
    await writeFile(path.join(root, "cluster.json"), "{");
    await writeFile(path.join(root, "run", "supervisor.json"), "{");
    await writeFile(path.join(root, "run", "components.json"), "{");
    const down = await lateen(["down", ...where()]);
    expect(down.code).toBe(1);
    expect(down.stderr.trim().split("\n")).toHaveLength(1);
    expect(down.stderr).toContain("cluster.json is corrupt");
    expect((await lateen(["down", "--purge", ...where()])).code).toBe(0);
    expect(await tracesOf({ name: cluster.name, home: root })).toEqual([]);
  }, 120_000);
});

describe("a host without any network, where other programs have the usual ports", () => {
  const namespace = `lt-e2e-offline-${process.pid}`;
  const name = "offline";
  let home = "";
  let taker: ChildProcess | undefined;
  const inside = (program: string, ...args: string[]): Promise<CommandResult> =>
    runCommand("nsenter", [`--net=/var/run/netns/${namespace}`, "--", program, ...args]);
  const lateenInside = (...args: string[]): Promise<CommandResult> => {
    const entry = path.join(ROOT, "bin", "lateen.js");
    return inside(process.execPath, entry, ...args, "--name", name, "--home", home);
  };

  beforeAll(async () => {
    home = await mkdtemp(path.join(tmpdir(), "lateen-e2e-"));
    await runCommand("ip", ["netns", "add", namespace]);
    await inside("ip", "link", "set", "lo", "up");
    taker = await takePorts(namespace, [53, 6443, 8080, 15_012, 15_014, 15_021]);
  }, 60_000);

  afterAll(async () => {
    await lateenInside("down", "--purge");
    taker?.kill("SIGKILL");
    await runCommand("ip", ["netns", "del", namespace]);
    await rm(home, { recursive: true, force: true });
  }, 60_000);

  test("the demo comes up on other ports", async () => {
    const up = await lateenInside("up", "--detach", "--demo");
    expect([up.code, up.stderr]).toEqual([0, ""]);
    const status = await lateenInside("status");
    expect(status.stdout).not.toMatch(/:6443|:8080\b/);
  }, 120_000);

  (KUBECTL === undefined ? test.skip : test)(
    "names outside of the cluster fail at once, and nothing with them",
    async () => {
      const kubeconfig = path.join(home, name, "kubeconfig");
      const lookup = "require('dns').lookup('example.org', (e) => console.log(e.code))";
      const args = ["exec", "deploy/details-v1", "--", "node", "-e", lookup];
      const result = await inside(KUBECTL ?? "", "--kubeconfig", kubeconfig, ...args);
      expect(result.stderr).toBe("");
      expect(result.stdout).toMatch(/^E(AI_AGAIN|NOTFOUND|AI_FAIL)\n$/);
      const components = await readFile(path.join(home, name, "run", "components.json"), "utf8");
      const restarts = (JSON.parse(components) as { restarts: number }[]).map((c) => c.restarts);
      expect(restarts.every((count) => count === 0)).toBe(true);
    },
    60_000,
  );
});

async function pidOf(cluster: TestCluster, component: string): Promise<number> {
  const found = (await cluster.status()).components.find(({ name }) => name === component);
  if (found === undefined || found.pid === null) throw new Error(`${component} has no process`);
  return found.pid;
}

/** Ends every process in the cluster's control groups, and the containers' monitors. */
async function killContainers(cluster: TestCluster): Promise<void> {
  const pids = (await readdir("/proc")).filter((entry) => /^\d+$/.test(entry));
  for (const pid of pids) {
    const groups = await readFile(`/proc/${pid}/cgroup`, "utf8").catch(() => "");
    const command = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
    const isMonitor = command.includes("conmon") && command.includes(cluster.home);
    if (!isMonitor && !groups.includes(`/lateen/lateen-${cluster.name}-`)) continue;
    await runCommand("kill", ["-9", pid]);
  }
}

/** A program in the namespace that listens on all addresses, as another cluster would. */
async function takePorts(namespace: string, ports: readonly number[]): Promise<ChildProcess> {
  const script =
    `const n = require("node:net"); let left = ${ports.length};` +
    `for (const p of ${JSON.stringify(ports)})` +
    ` n.createServer().listen(p, "0.0.0.0", () => --left || console.log("READY"));`;
  const args = [`--net=/var/run/netns/${namespace}`, "--", process.execPath, "-e", script];
  const child = spawn("nsenter", args, { stdio: ["ignore", "pipe", "inherit"] });
  await new Promise((resolve) => child.stdout.once("data", resolve));
  return child;
}
