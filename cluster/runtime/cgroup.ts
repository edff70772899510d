/** Control groups of both versions, seen as files: which there are, who is in them, what they use. */

import { readFile, readdir, rmdir } from "node:fs/promises";
import { join } from "node:path";

export interface CgroupHost {
  version: 1 | 2;
  /** A cgroup2 hierarchy without controllers lies at /sys/fs/cgroup/unified (crun refuses it). */
  hybrid: boolean;
  /** Roots of the hierarchies that containers are in, by controller; `""` for version 2. */
  roots: ReadonlyMap<string, string>;
}

export interface CgroupUsage {
  cpuNanoseconds: number;
  memoryBytes: number;
  /** Memory less the file cache that can be given back. */
  workingSetBytes: number;
}

const MAX_DEPTH = 4;

/** Reads the mounts; throws when no cgroup hierarchy is visible, saying how to mend it. */
export async function detectCgroups(): Promise<CgroupHost> {
  const mounts = (await readFile("/proc/self/mounts", "utf8")).split("\n").map((line) => {
    const [, point = "", type = "", options = ""] = line.split(" ");
    return { point, type, options: options.split(",") };
  });
  const unified = mounts.filter(({ type }) => type === "cgroup2");
  if (unified.some(({ point }) => point === "/sys/fs/cgroup")) {
    return { version: 2, hybrid: false, roots: new Map([["", "/sys/fs/cgroup"]]) };
  }
  const roots = new Map<string, string>();
  for (const { point, type, options } of mounts) {
    if (type !== "cgroup") continue;
    for (const controller of ["memory", "cpu", "cpuacct", "pids", "freezer", "devices"]) {
      if (options.includes(controller)) roots.set(controller, point);
    }
    roots.set(point, point);
  }
  if (roots.size === 0) {
    throw new Error(
      "no cgroup file system is mounted at /sys/fs/cgroup (a node agent started by `ip netns exec` " +
        "doesn't see it: use `nsenter --net=FILE`)",
    );
  }
  return { version: 1, hybrid: unified.length > 0, roots };
}

/** The names on the way to a group; throws on a path that doesn't lead below the root. */
export function requireGroupPath(path: string): string[] {
  const parts = path.split("/").filter((part) => part !== "");
  if (parts.length === 0 || parts.includes("..") || parts.includes(".")) {
    throw new Error(`${JSON.stringify(path)} names no control group below the root`);
  }
  return parts;
}

/** Every folder of a group, once, in all hierarchies that have it; never a root itself. */
export async function cgroupDirs(host: CgroupHost, path: string): Promise<string[]> {
  requireGroupPath(path);
  const dirs: string[] = [];
  for (const root of new Set(host.roots.values())) {
    const dir = join(root, path);
    if ((await readdir(dir).catch(() => undefined)) !== undefined) dirs.push(dir);
  }
  return dirs;
}

/** The processes in a group and below it. */
export async function cgroupProcesses(host: CgroupHost, path: string): Promise<number[]> {
  const pids = new Set<number>();
  const visit = async (dir: string, depth: number): Promise<void> => {
    const text = await readFile(join(dir, "cgroup.procs"), "utf8").catch(() => "");
    for (const line of text.split("\n")) if (line !== "") pids.add(Number(line));
    if (depth === 0) return;
    for (const child of await childDirs(dir)) await visit(child, depth - 1);
  };
  for (const dir of await cgroupDirs(host, path)) await visit(dir, MAX_DEPTH);
  return [...pids];
}

/** Removes a group with all groups below it; those with processes in them stay. */
export async function removeCgroup(host: CgroupHost, path: string): Promise<void> {
  const remove = async (dir: string, depth: number): Promise<void> => {
    if (depth > 0) for (const child of await childDirs(dir)) await remove(child, depth - 1);
    await rmdir(dir).catch(ignoreBusy);
  };
  for (const dir of await cgroupDirs(host, path)) await remove(dir, MAX_DEPTH);
}

/** Removes the parents of a group as far as they are empty. */
export async function removeEmptyParents(host: CgroupHost, path: string): Promise<void> {
  const parts = path.split("/").filter((part) => part !== "");
  for (let length = parts.length; length > 0; length--) {
    for (const root of new Set(host.roots.values())) {
      await rmdir(join(root, ...parts.slice(0, length))).catch(ignoreBusy);
    }
  }
}

function ignoreBusy(error: NodeJS.ErrnoException): void {
  if (error.code !== "EBUSY" && error.code !== "ENOENT" && error.code !== "ENOTEMPTY") throw error;
}

async function childDirs(dir: string): Promise<string[]> {
  const entries = await readdir(dir, { withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isDirectory()).map((entry) => join(dir, entry.name));
}

/** What a group uses now; undefined when it is gone. */
export async function cgroupUsage(
  host: CgroupHost,
  path: string,
): Promise<CgroupUsage | undefined> {
  try {
    if (host.version === 2) {
      const dir = join("/sys/fs/cgroup", path);
      const cpu = keyed(await readFile(join(dir, "cpu.stat"), "utf8"));
      const memory = Number(await readFile(join(dir, "memory.current"), "utf8"));
      const stat = keyed(await readFile(join(dir, "memory.stat"), "utf8"));
      return usage((cpu.get("usage_usec") ?? 0) * 1000, memory, stat.get("inactive_file"));
    }
    const at = (controller: string) => join(host.roots.get(controller) ?? "", path);
    const cpu = Number(await readFile(join(at("cpuacct"), "cpuacct.usage"), "utf8"));
    const memory = Number(await readFile(join(at("memory"), "memory.usage_in_bytes"), "utf8"));
    const stat = keyed(await readFile(join(at("memory"), "memory.stat"), "utf8"));
    return usage(cpu, memory, stat.get("total_inactive_file"));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

function usage(cpuNanoseconds: number, memoryBytes: number, inactive = 0): CgroupUsage {
  return { cpuNanoseconds, memoryBytes, workingSetBytes: Math.max(0, memoryBytes - inactive) };
}

function keyed(text: string): Map<string, number> {
  return new Map(
    text.split("\n").map((line) => {
      const [key = "", value] = line.split(" ");
      return [key, Number(value ?? 0)] as const;
    }),
  );
}
