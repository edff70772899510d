/** Up and down: what a cluster leaves, two side by side, and every way it can't come up. */

import { createServer } from "node:net";
import { mkdtemp, readFile, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, describe, expect, test } from "@jest/globals";
import { KUBECTL, lateen, runCommand, startCluster } from "./cluster.ts";
import type { TestCluster } from "./cluster.ts";
import { eventually } from "./eventually.ts";
import { ask } from "./load.ts";
import { DIRECT_GATEWAY } from "./routing.ts";

/** What a cluster might leave on the machine, as text that can be compared. */
async function machineState(): Promise<Record<string, string>> {
  const text = async (program: string, ...args: string[]): Promise<string> =>
    (await runCommand(program, args)).stdout;
  const mounts = (await readFile("/proc/self/mounts", "utf8"))
    .split("\n")
    .map((line) => line.split(" ").slice(1, 3).join(" "));
  const cgroups = await Promise.all(
    (await readdir("/sys/fs/cgroup")).map(async (controller) => {
      const below = await readdir(path.join("/sys/fs/cgroup", controller)).catch(
        (): string[] => [],
      );
      return `${controller}: ${below.includes("lateen") ? "lateen" : ""}`;
    }),
  );
  const processes = await Promise.all(
    (await readdir("/proc"))
      .filter((name) => /^\d+$/.test(name))
      .map(async (pid) => {
        const line = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
        return line.includes("lateen-e2e-") ? line.replaceAll("\0", " ") : "";
      }),
  );
  return {
    namespaces: await text("ip", "netns", "list"),
    links: (await text("ip", "-brief", "link")).replace(/ +/g, " "),
    routes: await text("ip", "route", "show", "table", "all"),
    rules: await text("nft", "list", "ruleset"),
    mounts: mounts.toSorted().join("\n"),
    cgroups: cgroups.toSorted().join("\n"),
    processes: processes
      .filter((line) => line !== "")
      .toSorted()
      .join("\n"),
  };
}

describe("the life of a cluster", () => {
  const open: TestCluster[] = [];

  afterAll(async () => {
    for (const cluster of open) await cluster.down();
  }, 120_000);

  test("down leaves nothing: processes, namespaces, links, routes, rules, mounts, cgroups", async () => {
    const before = await machineState();
    const cluster = await startCluster("tidy", ["--nodes", "2"]);
    const status = await cluster.status();
    expect(status.nodes.map(({ name, ready }) => [name, ready])).toEqual([
      ["node-1", true],
      ["node-2", true],
    ]);
    expect(status.components.every(({ ready, rssBytes }) => ready && rssBytes > 0)).toBe(true);
    await cluster.down();
    expect(await machineState()).toEqual(before);
  }, 180_000);

  test("two clusters run side by side, and each answers on its own ports", async () => {
    const first = await startCluster("left", []);
    open.push(first);
    const second = await startCluster("right", []);
    open.push(second);
    const [left, right] = [await first.status(), await second.status()];
    expect(left.apiServer).not.toBe(right.apiServer);
    expect(left.ingress.http).not.toBe(right.ingress.http);
    for (const cluster of KUBECTL === undefined ? [] : [first, second]) {
      // Nothing listens until a Gateway asks for it; then what matches no route is 404.
      await cluster.kubectlOk(["apply", "-f", "-"], DIRECT_GATEWAY);
      const { ingress } = await cluster.status();
      await eventually("the ingress", 5_000, async () => {
        return (await ask(ingress.http ?? "")).status === 404;
      });
    }
    const again = await lateen(["up", "--detach", "--name", "left", "--home", first.home]);
    expect(again.code).toBe(1);
    expect(again.stderr.trim().split("\n")).toHaveLength(1);
    expect(again.stderr).toContain("cluster 'left' is already up");
  }, 180_000);

  test("objects and pods survive a supervisor's kill -9 and the next up", async () => {
    const cluster = open[0];
    if (cluster === undefined) throw new Error("the first cluster did not come up");
    const status = await cluster.status();
    const supervisor = status.components.find(({ name }) => name === "supervisor")?.pid;
    if (supervisor === undefined || supervisor === null) throw new Error("no supervisor");
    process.kill(supervisor, "SIGKILL");
    const up = await lateen(["up", "--detach", "--name", "left", "--home", cluster.home]);
    expect(up.stderr).toBe("");
    expect(up.code).toBe(0);
    expect((await cluster.status()).components.every(({ ready }) => ready)).toBe(true);
  }, 120_000);
});

describe("a cluster that can't come up says why in one line", () => {
  const oneLine = (text: string): string => {
    expect(text.trim().split("\n")).toHaveLength(1);
    return text;
  };

  async function failingUp(
    args: readonly string[],
    options: { env?: NodeJS.ProcessEnv; uid?: number } = {},
  ): Promise<string> {
    const home = await mkdtemp(path.join(tmpdir(), "lateen-e2e-"));
    const result = await lateen(["up", "--detach", "--home", home, ...args], options);
    await rm(home, { recursive: true, force: true });
    expect(result.code).toBe(1);
    return oneLine(result.stderr);
  }

  test("a taken port that was asked for", async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    const message = await failingUp(["--name", "ports", "--api-port", String(port)]);
    expect(message).toContain(`--api-port ${port}`);
    server.close();
  });

  test("a name that can't be one", async () => {
    expect(await failingUp(["--name", "../etc"])).toContain('--name "../etc"');
  });

  test("an ENVOY_PATH that is no program", async () => {
    const env = { ...process.env, ENVOY_PATH: "/nowhere/envoy" };
    expect(await failingUp(["--name", "tool"], { env })).toContain("ENVOY_PATH=/nowhere/envoy");
  });

  test("no root", async () => {
    expect(await failingUp(["--name", "user"], { uid: 65_534 })).toContain("root");
  });

  test("doctor prints a line per prerequisite and tells by its exit code", async () => {
    const result = await lateen(["doctor"]);
    expect(result.code).toBe(0);
    for (const name of ["node", "root", "ip", "nft", "crun", "conmon", "envoy", "kubectl"]) {
      expect(result.stdout).toMatch(new RegExp(`^\\S+ +${name} `, "m"));
    }
  });
});
