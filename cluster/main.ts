/** The control plane's process: `node cluster/main.ts CONFIG.json`. */

import { readFile } from "node:fs/promises";
import type { ControlPlaneConfig } from "#cluster/api/process-config.ts";
import { startApiServer } from "#cluster/apiserver/start.ts";
import { createClient } from "#cluster/client/http-client.ts";
import { loadKubeconfig } from "#cluster/client/kubeconfig.ts";
import { runControllers } from "#cluster/controllers/run.ts";
import { hostResolvers, runDnsRelay } from "#cluster/dns/relay.ts";
import { isPortFree } from "#cluster/localhost/port-free.ts";
import { runLocalhost } from "#cluster/localhost/run.ts";
import { runScheduler } from "#cluster/scheduler/run.ts";
import { runIngressController } from "#ingress/controller/run.ts";
import { DEFAULT_CONFIG } from "#sidecar-injector/inject/config.ts";
import { followSettings } from "#sidecar-injector/webhook/injection-settings.ts";
import { runWebhook } from "#sidecar-injector/webhook/run.ts";
import { ensureSystemObjects } from "./system-objects.ts";

async function main(): Promise<void> {
  const file = process.argv[2];
  if (file === undefined) throw new Error("usage: cluster/main.ts CONFIG.json");
  const config = JSON.parse(await readFile(file, "utf8")) as ControlPlaneConfig;
  const abort = new AbortController();
  const { signal } = abort;
  const server = await startApiServer(config, signal);
  const client = createClient(await loadKubeconfig(config.kubeconfig));
  const stop = (): void => {
    abort.abort();
    client.close();
    void server.close().finally(() => process.exit(0));
  };
  process.once("SIGTERM", stop);
  process.once("SIGINT", stop);
  const caPem = await readFile(config.serving.caFile, "utf8");
  await ensureSystemObjects(client, {
    network: config.network,
    discovery: config.discovery,
    webhook: { url: `https://127.0.0.1:${config.webhookPort}/inject`, caPem },
  });
  // Until the injector answers, the API server would refuse pods of the mesh.
  const webhookListening = Promise.withResolvers<number>();
  const injection = followSettings({
    client,
    base: { ...DEFAULT_CONFIG, clusterId: config.clusterName },
    signal,
  });
  const { certFile, keyFile } = config.webhookServing;
  const rooms: Record<string, Promise<void>> = {
    injection: injection.running,
    controllers: runControllers({ client, network: config.network, rootCa: caPem, signal }),
    scheduler: runScheduler({ client, signal }),
    webhook: (async () => {
      const [cert, key] = await Promise.all([
        readFile(certFile, "utf8"),
        readFile(keyFile, "utf8"),
      ]);
      await injection.synced;
      await runWebhook({
        port: config.webhookPort,
        serving: { cert, key },
        settings: injection.current,
        signal,
        onListening: webhookListening.resolve,
      });
    })(),
    ingress: runIngressController({ client, signal }),
    localhost: runLocalhost({ client, dir: config.localhostDir, signal, isPortFree }),
    dnsRelay: runDnsRelay({
      listen: { address: config.network.hostAddress, port: config.dnsRelayPort },
      resolvers: await hostResolvers(),
      signal,
    }),
  };
  for (const [room, running] of Object.entries(rooms)) {
    running.catch((error: unknown) => {
      if (signal.aborted) return;
      console.error(`${room} failed, the control plane restarts:`, error);
      process.exit(1);
    });
  }
  await webhookListening.promise;
  console.log("READY");
}

await main();
