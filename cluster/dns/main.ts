/** A node's DNS process: `node cluster/dns/main.ts CONFIG.json`, inside the node's namespace. */

import { readFile } from "node:fs/promises";
import type { DnsConfig } from "#cluster/api/process-config.ts";
import { createClient } from "#cluster/client/http-client.ts";
import { keepProcess } from "#cluster/client/keep-process.ts";
import { loadKubeconfig } from "#cluster/client/kubeconfig.ts";
import { runClusterDns } from "./run.ts";

async function main(): Promise<void> {
  const file = process.argv[2];
  if (file === undefined) throw new Error("usage: cluster/dns/main.ts CONFIG.json");
  const config = JSON.parse(await readFile(file, "utf8")) as DnsConfig;
  const client = createClient(await loadKubeconfig(config.kubeconfig));
  const stop = new AbortController();
  for (const name of ["SIGTERM", "SIGINT"]) process.once(name, () => stop.abort());
  const onReady = (): void => console.log("READY");
  await runClusterDns({ client, config, signal: stop.signal, onReady });
  client.close();
}

await keepProcess(main);
