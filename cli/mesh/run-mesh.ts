/** The mesh's control plane as one process in a pod: pilot, injector, status of Ingresses. */

import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { MUTATING_WEBHOOKS } from "#cluster/api/resources.ts";
import { applyObject } from "#cluster/client/apply-object.ts";
import type { KubeClient } from "#cluster/client/client.ts";
import { createClient } from "#cluster/client/http-client.ts";
import { keepProcess } from "#cluster/client/keep-process.ts";
import { inClusterConfig, loadKubeconfig } from "#cluster/client/kubeconfig.ts";
import { runIngressController } from "#ingress/controller/run.ts";
import { validationAt } from "#install/control-plane.ts";
import { MESH_PORTS, NAMESPACE, revisioned, servingNames } from "#install/options.ts";
import { servePilot } from "#pilot/serve.ts";
import { DEFAULT_CONFIG, type InjectorConfig } from "#sidecar-injector/inject/config.ts";
import { followSettings } from "#sidecar-injector/webhook/injection-settings.ts";
import { manifest } from "#sidecar-injector/webhook/manifest.ts";
import { runWebhook } from "#sidecar-injector/webhook/run.ts";
import { meshAuthority } from "./authority.ts";

export interface MeshOptions {
  /** A file, or `in-cluster`. */
  kubeconfig: string;
  revision: string;
  clusterDomain: string;
  /** Where it listens; tests take loopback. */
  address: string;
  /** Port 0 takes free ones. */
  ports: Record<keyof typeof MESH_PORTS, number>;
  log?: (line: string) => void;
}

/** Works until the signal aborts; `onReady` is called once pilot and injector serve. */
export async function runMesh(
  options: MeshOptions,
  signal: AbortSignal,
  onReady: () => void,
): Promise<void> {
  const dir = await mkdtemp(path.join(tmpdir(), "lateen-mesh-"));
  try {
    await keepProcess(() => run(options, dir, { signal, onReady }));
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

async function run(
  options: MeshOptions,
  dir: string,
  { signal, onReady }: { signal: AbortSignal; onReady: () => void },
): Promise<void> {
  const { kubeconfig, revision, address, ports, log } = options;
  const config =
    kubeconfig === "in-cluster" ? await inClusterConfig() : await loadKubeconfig(kubeconfig);
  const client = createClient(config);
  signal.addEventListener("abort", () => client.close(), { once: true });
  const names = servingNames(options);
  const authority = await meshAuthority(client, { namespace: NAMESPACE, dir, names });
  const { caPem, serving } = authority;
  const ready = Promise.withResolvers<void>();
  const pilot = servePilot(
    {
      kubeconfig,
      grpc: `${address}:${ports.ads}`,
      http: `${address}:${ports.http}`,
      webhook: `${address}:${ports.validation}`,
      webhookAt: { service: validationAt(revision) },
      insecure: false,
      serving,
      clusterDomain: options.clusterDomain,
      onReady: () => ready.resolve(),
      ...(log && { log }),
    },
    signal,
  );
  await Promise.race([ready.promise, pilot]);
  if (signal.aborted) return;
  const injector = runInjector(client, options, { caPem, signal, onReady });
  const ingress = runIngressController({
    client,
    signal,
    deployGateway: false,
    ...(log && { log }),
  });
  await Promise.all([pilot, injector(serving), ingress]);
}

/** Serves injection; the API server is told to ask once it does. */
function runInjector(
  client: KubeClient,
  { revision, clusterDomain, address, ports, log }: MeshOptions,
  { caPem, signal, onReady }: { caPem: string; signal: AbortSignal; onReady: () => void },
): (serving: { certFile: string; keyFile: string }) => Promise<void> {
  const service = { name: revisioned("istiod", revision), namespace: NAMESPACE };
  const base: InjectorConfig = {
    ...DEFAULT_CONFIG,
    revision,
    clusterDomain,
    // The final dot saves the resolver its search list.
    discoveryAddress: `${service.name}.${NAMESPACE}.svc.${clusterDomain}.:${MESH_PORTS.ads}`,
    discoveryName: `${service.name}.${NAMESPACE}.svc`,
    // In the bootstrap itself: no namespace needs a copy before its first pod.
    rootCa: { kind: "inline", pem: caPem },
  };
  return async ({ certFile, keyFile }) => {
    const settings = followSettings({
      client,
      base,
      namespace: NAMESPACE,
      signal,
      ...(log && { log }),
    });
    const [cert, key] = await Promise.all([readFile(certFile, "utf8"), readFile(keyFile, "utf8")]);
    await settings.synced;
    const webhook = manifest({
      client: { service: { ...service, path: "/inject", port: 443 } },
      caPem,
      revision,
      name: revisioned("istio-sidecar-injector", revision),
      meshNamespace: NAMESPACE,
    });
    const listening = Promise.withResolvers<void>();
    const serving = runWebhook({
      address,
      port: ports.injection,
      serving: { cert, key },
      settings: settings.current,
      signal,
      onListening: () => listening.resolve(),
      ...(log && { log }),
    });
    await Promise.race([listening.promise, serving]);
    if (signal.aborted) return;
    await applyObject(client, MUTATING_WEBHOOKS, webhook);
    onReady();
    await Promise.all([serving, settings.running]);
  };
}
