/** The node agent's process, started inside the node's network namespace: kubelet and proxy. */

import { readFile } from "node:fs/promises";
import type { NodeConfig } from "#cluster/api/process-config.ts";
import { createClient } from "#cluster/client/http-client.ts";
import { keepProcess } from "#cluster/client/keep-process.ts";
import { loadKubeconfig } from "#cluster/client/kubeconfig.ts";
import { describeError, stderrLog } from "#cluster/client/log.ts";
import { runServiceProxy } from "#cluster/proxy/run.ts";
import { startKubelet } from "./kubelet.ts";
import { KUBELET_PORT } from "./node/node-object.ts";
import { startKubeletServer } from "./server/kubelet-server.ts";

async function main(): Promise<void> {
  const [, , file] = process.argv;
  if (file === undefined) throw new Error("usage: node cluster/kubelet/main.ts CONFIG.json");
  const config = JSON.parse(await readFile(file, "utf8")) as NodeConfig;
  const stop = new AbortController();
  const { signal } = stop;
  for (const name of ["SIGTERM", "SIGINT"] as const) process.on(name, () => stop.abort());
  const client = createClient(await loadKubeconfig(config.kubeconfig));
  const proxy = runServiceProxy({
    client,
    network: config.network,
    nodeName: config.nodeName,
    nodeAddress: config.nodeAddress,
    signal,
  });
  const kubelet = await startKubelet({ config, client, log: stderrLog, signal });
  if (!signal.aborted) {
    const { context, workers } = kubelet;
    const server = await startKubeletServer({
      server: { context, workers },
      serving: config.serving,
      address: config.nodeAddress,
      port: KUBELET_PORT,
    });
    signal.addEventListener("abort", () => {
      server.close();
      server.closeAllConnections();
    });
    process.stdout.write("READY\n");
  }
  await Promise.all([proxy, kubelet.done]);
  client.close();
}

try {
  await keepProcess(main);
  process.exit(0);
} catch (error) {
  stderrLog(`node agent: ${describeError(error)}`);
  process.exit(1);
}
