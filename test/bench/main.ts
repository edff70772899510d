/**
 * `npm run bench`: boot, pods, memory and convergence of the demo's cluster, and pilot alone in a small
 * world. `npm run bench -- pilot [WORLD…]`: pilot alone, in worlds of `SERVICESxENDPOINTSxPROXIES`.
 */

import { createClient } from "#cluster/client/http-client.ts";
import { loadKubeconfig } from "#cluster/client/kubeconfig.ts";
import { ensureEnvoy } from "#cli/setup/envoy.ts";
import { ensurePackages } from "#cli/setup/packages.ts";
import { completePath } from "#cli/setup/tools.ts";
import { startCluster } from "#test/e2e/cluster.ts";
import { measureConvergence } from "./convergence.ts";
import { WORLDS, measureDiscovery } from "./discovery.ts";
import { measureMemory } from "./memory.ts";
import { measurePodStart } from "./pod-start.ts";
import { printRow, secondsIn } from "./report.ts";

const [part, ...worlds] = process.argv.slice(2);
if (part === "pilot") await benchPilot(worlds.length === 0 ? Object.keys(WORLDS) : worlds);
else await benchCluster();

async function benchPilot(names: readonly string[]): Promise<void> {
  for (const name of names) {
    const size = Object.hasOwn(WORLDS, name) ? WORLDS[name] : undefined;
    if (size === undefined) throw new Error(`worlds are ${Object.keys(WORLDS).join(", ")}`);
    const { services, endpoints, proxies } = size;
    console.log(`\npilot alone: ${services} services of ${endpoints}, ${proxies} proxies`);
    for (const row of await measureDiscovery(size)) printRow(row.title, row.value);
  }
}

async function benchCluster(): Promise<void> {
  const progress = (line: string): void => {
    console.log(`set-up: ${line}`);
  };
  completePath();
  await ensurePackages(progress);
  process.env.ENVOY_PATH = await ensureEnvoy(progress);

  const cluster = await startCluster("bench", ["--demo"]);
  const client = createClient(await loadKubeconfig(cluster.kubeconfig));
  try {
    console.log("\nboot");
    printRow("command → cluster ready", secondsIn(cluster.upOutput, /is up after (.*)$/m));
    printRow("command → first 200", secondsIn(cluster.upOutput, /^first answer (.*) after/m));
    console.log("\npod start (create → Ready), median of 5");
    for (const row of await measurePodStart(client)) printRow(row.title, row.value);
    console.log("\nconfig change → live, median of 20");
    for (const row of await measureConvergence(client, cluster)) printRow(row.title, row.value);
    await benchPilot(["100x4x50"]);
    console.log("\nmemory");
    for (const row of await measureMemory(cluster)) printRow(row.title, row.value);
  } finally {
    client.close();
    await cluster.down();
  }
}
