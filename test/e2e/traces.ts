/** What one cluster has on this machine right now, whatever else runs here. */

import { readFile, readdir } from "node:fs/promises";
import { runCommand } from "./cluster.ts";

/** A line for each process, namespace, link, route, mount and control group of the cluster. */
export async function tracesOf(cluster: { name: string; home: string }): Promise<string[]> {
  const { name, home } = cluster;
  const lines = async (program: string, ...args: string[]): Promise<string[]> =>
    (await runCommand(program, args)).stdout.split("\n");
  const all = [
    ...(await lines("ip", "netns", "list")).map((line) => `namespace ${line}`),
    ...(await lines("ip", "-oneline", "link")).map((line) => `link ${line}`),
    ...(await lines("ip", "route", "show", "table", "all")).map((line) => `route ${line}`),
    ...(await lines("nft", "list", "ruleset")).map((line) => `rule ${line}`),
    ...(await readFile("/proc/self/mounts", "utf8")).split("\n").map((line) => `mount ${line}`),
    ...(await lines("find", "/sys/fs/cgroup", "-type", "d", "-path", "*/lateen/*")),
    ...(await commandLines()),
  ];
  const link = `lt-${name.slice(0, 7)}-`;
  return all.filter((line) => [`lateen-${name}-`, link, home].some((mark) => line.includes(mark)));
}

async function commandLines(): Promise<string[]> {
  const pids = (await readdir("/proc")).filter((entry) => /^\d+$/.test(entry));
  const lines = await Promise.all(
    pids.map(async (pid) => {
      const line = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
      return `process ${pid} ${line.replaceAll("\0", " ")}`;
    }),
  );
  return lines;
}
