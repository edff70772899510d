/** The order in which a cluster comes up, each step with its time. */

import path from "node:path";
import type { Node } from "#cluster/api/generated/core-v1.ts";
import { NODES } from "#cluster/api/resources.ts";
import { createClient } from "#cluster/client/http-client.ts";
import type { KubeClient } from "#cluster/client/client.ts";
import { loadKubeconfig } from "#cluster/client/kubeconfig.ts";
import { createFabric, createNode } from "#cluster/network/fabric.ts";
import { ingressUrls } from "#cli/commands/ingress-urls.ts";
import type { Reporter } from "#cli/reporter.ts";
import { removeSurplusNodes } from "#cli/down/teardown.ts";
import type { Lock } from "#cli/lock.ts";
import { tryLock, waitForLock } from "#cli/lock.ts";
import { requireCgroups } from "#cli/setup/cgroups.ts";
import { cacheFolder, ensureEnvoy } from "#cli/setup/envoy.ts";
import { requireOpenHost } from "#cli/setup/firewall.ts";
import { ensurePackages } from "#cli/setup/packages.ts";
import { UsageError } from "#cli/state.ts";
import type { Supervisor } from "#cli/supervisor/supervisor.ts";
import { controlPlane, dns, localhostGateway, nodeAgent, pilot } from "./components.ts";
import type { UpOptions } from "./options.ts";
import { nodeIndexOf } from "./plan-nodes.ts";
import type { PreparedCluster } from "./prepare.ts";
import { prepareCluster } from "./prepare.ts";
import { waitFor } from "./wait-for.ts";

const READY_BOUND_MS = 60_000;

/** Clusters come up one after another, so that they don't choose the same addresses and ports. */
const startingLock = (): string => path.join(cacheFolder(), "starting.lock");
const LOCK_BOUND_MS = 90_000;

interface Means {
  supervisor: Supervisor;
  reporter: Reporter;
  signal: AbortSignal;
}

/** Everything up to an ingress that answers; rejects on abort and with the first step that fails. */
export async function bringUp(
  options: UpOptions,
  means: Means,
): Promise<{ client: KubeClient; ingress: string }> {
  const { reporter, signal } = means;
  const envoy = await reporter.step("tools", async (detail) => {
    await requireCgroups();
    await ensurePackages(reporter.line, signal);
    const found = await ensureEnvoy(reporter.line, signal);
    detail(`Envoy: ${found}`);
    return found;
  });
  const lock = tryLock(startingLock()) ?? (await waitForOthers(reporter, signal));
  try {
    const cluster = await layGround(options, envoy, means);
    return await startProcesses(cluster, means);
  } finally {
    lock.release();
  }
}

async function waitForOthers(reporter: Reporter, signal: AbortSignal): Promise<Lock> {
  reporter.line("another cluster is starting: waiting for it");
  const lock = await waitForLock(startingLock(), LOCK_BOUND_MS, signal);
  if (lock !== undefined) return lock;
  throw new UsageError("another cluster is starting and doesn't get ready: see `lateen status`");
}

/** Addresses, keys, namespaces: what must be there before the first process. */
async function layGround(
  options: UpOptions,
  envoy: string,
  { reporter, signal }: Means,
): Promise<PreparedCluster> {
  const cluster = await reporter.step("addresses and certificates", async (detail) => {
    const prepared = await prepareCluster(options, envoy, reporter.line);
    const { podCidr, serviceCidr } = prepared.record.network;
    detail(`pods ${podCidr}, services ${serviceCidr}`);
    return prepared;
  });
  await reporter.step("network namespaces", async (detail) => {
    const { network } = cluster.record;
    await removeSurplusNodes(cluster.paths, cluster.record);
    await createFabric(network, signal);
    for (const { name, index } of cluster.nodes) {
      await createNode({ network, nodeName: name, index, signal });
    }
    detail(`${cluster.nodes.length} node${cluster.nodes.length === 1 ? "" : "s"}`);
  });
  return cluster;
}

/** Starts every process and waits until nodes are Ready and the ingress answers on localhost. */
async function startProcesses(
  cluster: PreparedCluster,
  { supervisor, reporter, signal: cancel }: Means,
): Promise<{ client: KubeClient; ingress: string }> {
  const signal = AbortSignal.any([cancel, AbortSignal.timeout(READY_BOUND_MS)]);
  await reporter.step("control plane", async (detail) => {
    await supervisor.start(controlPlane(cluster), signal);
    detail(`https://127.0.0.1:${cluster.record.apiServerPort}`);
  });
  const client = createClient(await loadKubeconfig(cluster.paths.kubeconfig));
  await reporter.step("pilot, DNS, node agents, localhost gateway", async () => {
    const gateway = localhostGateway(cluster);
    await Promise.all([
      requireOpenHost(cluster, signal),
      supervisor.start(pilot(cluster), signal),
      supervisor.start(gateway, signal),
      ...cluster.nodes.flatMap((node) => [
        supervisor.start(dns(cluster, node), signal),
        supervisor.start(nodeAgent(cluster, node), signal),
      ]),
    ]);
  });
  await reporter.step("nodes Ready", async () => {
    await forgetSurplusNodes(client, cluster);
    await waitFor(signal, "all nodes to be Ready", async () => {
      const { items } = await client.list(NODES);
      return cluster.nodes.every(({ name }) => isReady(items, name)) ? true : undefined;
    });
  });
  const ingress = await reporter.step("ingress gateway", async (detail) => {
    const url = await waitFor(signal, "the ingress gateway to be ready on localhost", async () => {
      const { http, health } = await ingressUrls(client);
      return http !== null && health !== null && (await isHealthy(health)) ? http : undefined;
    });
    detail(url);
    return url;
  });
  return { client, ingress };
}

/** Nodes of an earlier `up` with more of them; what ran there is then made elsewhere. */
async function forgetSurplusNodes(client: KubeClient, cluster: PreparedCluster): Promise<void> {
  const { items } = await client.list(NODES);
  for (const { metadata } of items) {
    const index = nodeIndexOf(metadata.name);
    if (index === undefined || index <= cluster.nodes.length) continue;
    await client.delete(NODES, { name: metadata.name });
  }
}

function isReady(nodes: readonly Node[], name: string): boolean {
  const conditions = nodes.find(({ metadata }) => metadata.name === name)?.status?.conditions;
  return conditions?.some(({ type, status }) => type === "Ready" && status === "True") === true;
}

async function isHealthy(url: string): Promise<boolean> {
  return fetch(url, { signal: AbortSignal.timeout(1000) }).then(
    async (response) => {
      await response.arrayBuffer();
      return response.status === 200;
    },
    () => false,
  );
}
