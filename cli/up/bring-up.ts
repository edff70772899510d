/** The order in which a cluster comes up, each step with its time. */

import { NODES } from "#cluster/api/resources.ts";
import { createClient } from "#cluster/client/http-client.ts";
import type { KubeClient } from "#cluster/client/client.ts";
import { loadKubeconfig } from "#cluster/client/kubeconfig.ts";
import { createFabric, createNode } from "#cluster/network/fabric.ts";
import { ingressUrls } from "#cli/commands/ingress-urls.ts";
import type { Reporter } from "#cli/reporter.ts";
import { ensureEnvoy } from "#cli/setup/envoy.ts";
import { ensurePackages } from "#cli/setup/packages.ts";
import type { Supervisor } from "#cli/supervisor/supervisor.ts";
import { controlPlane, dns, localhostGateway, nodeAgent, pilot } from "./components.ts";
import type { UpOptions } from "./options.ts";
import type { PreparedCluster } from "./prepare.ts";
import { prepareCluster } from "./prepare.ts";
import { waitFor } from "./wait-for.ts";

const READY_BOUND_MS = 60_000;

/** Tools, addresses, keys, namespaces: what must be there before the first process. */
export async function layGround(options: UpOptions, reporter: Reporter): Promise<PreparedCluster> {
  const envoy = await reporter.step("tools", async (detail) => {
    await ensurePackages(reporter.line);
    const found = await ensureEnvoy(reporter.line);
    detail(`Envoy: ${found}`);
    return found;
  });
  const cluster = await reporter.step("addresses and certificates", async (detail) => {
    const prepared = await prepareCluster(options, envoy, reporter.line);
    const { podCidr, serviceCidr } = prepared.record.network;
    detail(`pods ${podCidr}, services ${serviceCidr}`);
    return prepared;
  });
  await reporter.step("network namespaces", async (detail) => {
    const { network } = cluster.record;
    await createFabric(network);
    for (const { name, index } of cluster.nodes) {
      await createNode({ network, nodeName: name, index });
    }
    detail(`${cluster.nodes.length} node${cluster.nodes.length === 1 ? "" : "s"}`);
  });
  return cluster;
}

/** Starts every process and waits until nodes are Ready and the ingress answers on localhost. */
export async function startProcesses(
  cluster: PreparedCluster,
  supervisor: Supervisor,
  reporter: Reporter,
  cancel: AbortSignal,
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
      supervisor.start(pilot(cluster), signal),
      supervisor.start(gateway, signal),
      ...cluster.nodes.flatMap((node) => [
        supervisor.start(dns(cluster, node), signal),
        supervisor.start(nodeAgent(cluster, node), signal),
      ]),
    ]);
  });
  await reporter.step("nodes Ready", () =>
    waitFor(signal, "all nodes to be Ready", async () => {
      const { items } = await client.list(NODES);
      const ready = items.filter((node) =>
        node.status?.conditions?.some((c) => c.type === "Ready" && c.status === "True"),
      );
      return ready.length >= cluster.nodes.length ? true : undefined;
    }),
  );
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

async function isHealthy(url: string): Promise<boolean> {
  return fetch(url, { signal: AbortSignal.timeout(1000) }).then(
    async (response) => {
      await response.arrayBuffer();
      return response.status === 200;
    },
    () => false,
  );
}
