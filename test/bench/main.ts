/** `npm run bench`: boot, pods, memory and convergence of the demo's cluster, in one run. */

import { createClient } from "#cluster/client/http-client.ts";
import { loadKubeconfig } from "#cluster/client/kubeconfig.ts";
import { ensureEnvoy } from "#cli/setup/envoy.ts";
import { ensurePackages } from "#cli/setup/packages.ts";
import { completePath } from "#cli/setup/tools.ts";
import { startCluster } from "#test/e2e/cluster.ts";
import { measureConvergence } from "./convergence.ts";
import { measureDiscovery } from "./discovery.ts";
import { measureMemory } from "./memory.ts";
import { measurePodStart } from "./pod-start.ts";
import { printRow, secondsIn } from "./report.ts";

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
  console.log("\npilot alone");
  for (const row of await measureDiscovery()) printRow(row.title, row.value);
  console.log("\nmemory");
  for (const row of await measureMemory(cluster)) printRow(row.title, row.value);
} finally {
  client.close();
  await cluster.down();
}
