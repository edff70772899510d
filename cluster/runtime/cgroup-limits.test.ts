import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { CgroupHost } from "./cgroup.ts";
import { cpuWeight, limitCgroup, limitsProblem } from "./cgroup-limits.ts";

/** Folders that look like control groups: what is written to them is there to be read. */
describe("a group's limits", () => {
  let root = "";

  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), "lt-cgroup-"));
  });
  afterEach(() => rm(root, { recursive: true, force: true }));

  const read = (file: string): Promise<string> => readFile(join(root, file), "utf8");

  test("version 1: in the hierarchies of cpu and memory, without limits unlimited", async () => {
    const roots = ["cpu", "memory"].map((name) => [name, join(root, name)] as const);
    const host: CgroupHost = { version: 1, hybrid: true, roots: new Map(roots) };
    await limitCgroup(host, "lateen/node-1/pod1", { cpuShares: 102, cpuQuotaUs: 50_000 });
    expect(await read("cpu/lateen/node-1/pod1/cpu.shares")).toBe("102");
    expect(await read("cpu/lateen/node-1/pod1/cpu.cfs_quota_us")).toBe("50000");
    expect(await read("memory/lateen/node-1/pod1/memory.limit_in_bytes")).toBe("-1");
  });

  test("version 2: every group on the way gives the controllers that it doesn't give yet", async () => {
    const host: CgroupHost = { version: 2, hybrid: false, roots: new Map([["", root]]) };
    await mkdir(join(root, "lateen"));
    await writeFile(join(root, "cgroup.subtree_control"), "memory pids\n");
    await writeFile(join(root, "lateen", "cgroup.subtree_control"), "cpuset cpu memory pids\n");
    await limitCgroup(host, "/lateen/pod1", { cpuShares: 2, memoryLimitBytes: 4096 });
    expect(await read("cgroup.subtree_control")).toBe("+cpu");
    expect(await read("lateen/cgroup.subtree_control")).toBe("cpuset cpu memory pids\n");
    expect(await read("lateen/pod1/cpu.weight")).toBe("1");
    expect(await read("lateen/pod1/cpu.max")).toBe("max 100000");
    expect(await read("lateen/pod1/memory.max")).toBe("4096");
  });

  test("what keeps containers from being limited is told", async () => {
    const host: CgroupHost = { version: 2, hybrid: false, roots: new Map([["", root]]) };
    const write = (name: string, text: string) => writeFile(join(root, name), text);
    await write("cgroup.controllers", "cpuset cpu io pids\n");
    expect(await limitsProblem(host)).toContain("no memory controller");
    await write("cgroup.controllers", "cpu memory pids\n");
    await write("cgroup.subtree_control", "memory pids\n");
    await write("cgroup.procs", "1\n17\n");
    expect(await limitsProblem(host)).toBeUndefined();
    await write("cgroup.type", "domain\n");
    expect(await limitsProblem(host)).toContain("/sys/fs/cgroup/init");
    await write("cgroup.subtree_control", "cpu memory pids\n");
    expect(await limitsProblem(host)).toBeUndefined();
    const roots = new Map([["cpu", "/sys/fs/cgroup/cpu"]]);
    const old = await limitsProblem({ version: 1, hybrid: false, roots });
    expect(old).toContain("memory, pids");
  });

  test("the root and what is above it can't be named", async () => {
    const host: CgroupHost = { version: 2, hybrid: false, roots: new Map([["", root]]) };
    for (const path of ["", "/", "../x", "a/./b"]) {
      await expect(limitCgroup(host, path, { cpuShares: 2 })).rejects.toThrow("no control group");
    }
  });
});

test("shares become weights end to end", () => {
  expect([2, 1024, 262_144].map(cpuWeight)).toEqual([1, 39, 10_000]);
});
