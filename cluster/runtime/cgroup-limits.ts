/** Groups that hold other groups: what a pod's containers get and may use together. */

import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type CgroupHost, requireGroupPath } from "./cgroup.ts";

export interface CgroupLimits {
  /** cgroup v1 shares (2 … 262144); converted to a weight on cgroup v2. */
  cpuShares: number;
  /** CPU time in µs a period of 100 ms. */
  cpuQuotaUs?: number;
  memoryLimitBytes?: number;
}

/** Those that containers are limited by (cgroup v2 gives none without being asked). */
const NEEDED_CONTROLLERS = ["cpu", "memory", "pids"];

const PERIOD_US = 100_000;
const PROCESSES_IN_ROOT =
  "processes are in that control group itself (this is a container: before all else, make the group " +
  "/sys/fs/cgroup/init and write each pid of /sys/fs/cgroup/cgroup.procs to its cgroup.procs)";

/** Why containers can't be limited on this machine, and the mend; undefined when they can. */
export async function limitsProblem(host: CgroupHost): Promise<string | undefined> {
  const root = host.roots.get("");
  const list = async (name: string): Promise<string[]> =>
    root === undefined ? [...host.roots.keys()] : words(join(root, name));
  const [offered, given] = await Promise.all([
    list("cgroup.controllers"),
    list("cgroup.subtree_control"),
  ]);
  const lacking = NEEDED_CONTROLLERS.filter((name) => !offered.includes(name));
  if (lacking.length > 0) {
    const names = lacking.join(", ");
    return `the kernel offers no ${names} controller (boot it with cgroup_enable=${names})`;
  }
  if (root === undefined || NEEDED_CONTROLLERS.every((name) => given.includes(name))) {
    return undefined;
  }
  // Only a root that isn't the kernel's own has a type, and can't have both: processes and limits.
  const [type, pids] = await Promise.all([
    words(join(root, "cgroup.type")),
    words(join(root, "cgroup.procs")),
  ]);
  return type.length > 0 && pids.length > 0 ? PROCESSES_IN_ROOT : undefined;
}

async function words(file: string): Promise<string[]> {
  const text = await readFile(file, "utf8").catch(() => "");
  return text.split(/\s+/).filter((word) => word !== "");
}

/** Makes the group, if need be with its parents, and sets its limits; may be called again. */
export async function limitCgroup(
  host: CgroupHost,
  path: string,
  limits: CgroupLimits,
): Promise<void> {
  const parts = requireGroupPath(path);
  const { cpuShares, cpuQuotaUs, memoryLimitBytes } = limits;
  if (host.version === 1) {
    await write(host, "cpu", parts, {
      "cpu.shares": cpuShares,
      "cpu.cfs_quota_us": cpuQuotaUs ?? -1,
    });
    await write(host, "memory", parts, { "memory.limit_in_bytes": memoryLimitBytes ?? -1 });
    return;
  }
  const root = host.roots.get("") ?? "";
  for (let length = 0; length < parts.length; length++) {
    const dir = join(root, ...parts.slice(0, length));
    await mkdir(dir, { recursive: true });
    await giveControllers(dir);
  }
  await write(host, "", parts, {
    "cpu.weight": cpuWeight(cpuShares),
    "cpu.max": `${cpuQuotaUs ?? "max"} ${PERIOD_US}`,
    "memory.max": memoryLimitBytes ?? "max",
  });
}

/** The scales are mapped end to end, as crun does it with the containers' own shares. */
export function cpuWeight(shares: number): number {
  return 1 + Math.trunc(((shares - 2) * 9999) / 262_142);
}

async function write(
  host: CgroupHost,
  controller: string,
  parts: readonly string[],
  settings: Readonly<Record<string, string | number>>,
): Promise<void> {
  const root = host.roots.get(controller);
  if (root === undefined) return;
  const dir = join(root, ...parts);
  await mkdir(dir, { recursive: true });
  for (const [name, value] of Object.entries(settings)) {
    await writeFile(join(dir, name), `${value}`);
  }
}

/** Lets the groups below `dir` be limited. */
async function giveControllers(dir: string): Promise<void> {
  const file = join(dir, "cgroup.subtree_control");
  const given = await words(file);
  const missing = NEEDED_CONTROLLERS.filter((name) => !given.includes(name));
  if (missing.length === 0) return;
  await writeFile(file, missing.map((name) => `+${name}`).join(" ")).catch((cause: Error) => {
    throw new Error(`${missing.join(", ")} can't be limited below ${dir}: ${whyNot(cause)}`, {
      cause,
    });
  });
}

function whyNot(error: NodeJS.ErrnoException): string {
  if (error.code === "EBUSY") return PROCESSES_IN_ROOT;
  return error.code === "ENOENT" ? "the group above doesn't give them" : error.message;
}
