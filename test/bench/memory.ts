/** Memory of each process of an idle cluster, and of its Envoys together. */

import { readFile, readdir } from "node:fs/promises";
import type { TestCluster } from "#test/e2e/cluster.ts";
import type { Row } from "./report.ts";

/** Resident memory of our processes; proportional memory (shared text counted once) of Envoys. */
export async function measureMemory(cluster: TestCluster): Promise<Row[]> {
  const { components } = await cluster.status();
  const rows = components.map(({ name, rssBytes }) => ({ title: name, value: mib(rssBytes) }));
  const envoys = await envoyBytes(cluster.name);
  const total = envoys.reduce((sum, bytes) => sum + bytes, 0);
  rows.push({ title: `Envoys of ${envoys.length} pods (PSS)`, value: mib(total) });
  return rows;
}

function mib(bytes: number): string {
  return `${(bytes / 1024 ** 2).toFixed(0)} MiB`;
}

async function envoyBytes(clusterName: string): Promise<number[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const sizes = await Promise.all(
    pids.map(async (pid) => {
      const name = await readFile(`/proc/${pid}/comm`, "utf8").catch(() => "");
      const cgroup = await readFile(`/proc/${pid}/cgroup`, "utf8").catch(() => "");
      if (name.trim() !== "envoy" || !cgroup.includes(`/lateen-${clusterName}-`)) return 0;
      const rollup = await readFile(`/proc/${pid}/smaps_rollup`, "utf8").catch(() => "");
      return Number(/^Pss:\s+(\d+) kB$/m.exec(rollup)?.[1] ?? 0) * 1024;
    }),
  );
  return sizes.filter((bytes) => bytes > 0);
}
