/** The discovery server of a cluster: `node pilot/main.ts CONFIG.json`. */

import { readFileSync } from "node:fs";
import type { PilotConfig } from "#cluster/api/process-config.ts";
import { servePilot } from "./serve.ts";

const configFile = process.argv[2];
if (configFile === undefined) {
  process.stderr.write("usage: node pilot/main.ts CONFIG.json\n");
  process.exit(2);
}
const config = JSON.parse(readFileSync(configFile, "utf8")) as PilotConfig;
const abort = new AbortController();
for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => abort.abort());
await servePilot(
  {
    kubeconfig: config.kubeconfig,
    grpc: `${config.listen.address}:${config.listen.port}`,
    http: `${config.http.address}:${config.http.port}`,
    webhook: `${config.webhook.address}:${config.webhook.port}`,
    insecure: false,
    serving: config.serving,
    clusterDomain: config.clusterDomain,
    dnsTellsAllocated: true,
    onReady: () => process.stdout.write("READY\n"),
  },
  abort.signal,
);
// Informers may still be waiting to reconnect; nothing that matters is left.
process.exit(0);
