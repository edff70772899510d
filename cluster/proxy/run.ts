/** The service proxy of a node, run by the node agent inside the node's network namespace. */

import { networkInterfaces } from "node:os";
import type { EndpointSlice } from "#cluster/api/generated/discovery-v1.ts";
import type { ClusterNetwork } from "#cluster/api/process-config.ts";
import { ENDPOINT_SLICES, SERVICES } from "#cluster/api/resources.ts";
import { Backoff } from "#cluster/client/backoff.ts";
import type { KubeClient } from "#cluster/client/client.ts";
import { delay } from "#cluster/client/clock.ts";
import { createInformer } from "#cluster/client/create-informer.ts";
import type { Lister } from "#cluster/client/informer.ts";
import { describeError, stderrLog } from "#cluster/client/log.ts";
import type { Log } from "#cluster/client/log.ts";
import type { Service } from "#cluster/api/generated/core-v1.ts";
import { ChangedKeys } from "./changed-keys.ts";
import { frontendsOf, serviceKey } from "./frontend.ts";
import { systemNft } from "./nft.ts";
import type { Nft } from "./nft.ts";
import { Syncer } from "./syncer.ts";
import type { ServiceUpdate } from "./syncer.ts";

export interface ServiceProxyOptions {
  client: KubeClient;
  network: ClusterNetwork;
  nodeName: string;
  signal: AbortSignal;
  /** NodePorts are served here; found on the node's own links when absent. */
  nodeAddress?: string;
  nft?: Nft;
  log?: Log;
}

const BY_SERVICE = "service";
const SERVICE_NAME = "kubernetes.io/service-name";
/** Services of one transaction, so that a change during a flood waits for a bounded time. */
const MAX_BATCH = 1_000;

/**
 * Keeps the node's rules as the API server's Services and EndpointSlices say, until the signal
 * aborts; the rules then stay, for traffic goes on without us. The rules of an earlier run stay in
 * force until the first complete list is there. A change is applied at once; what changes while nft
 * runs is the next transaction.
 */
export async function runServiceProxy(options: ServiceProxyOptions): Promise<void> {
  const { client, network, nodeName, signal, log = stderrLog } = options;
  const nodeAddress = options.nodeAddress ?? findNodeAddress(network);
  const services = createInformer(client, SERVICES);
  const slices = createInformer(client, ENDPOINT_SLICES, {
    indexes: { [BY_SERVICE]: (slice) => [ownerOf(slice)] },
  });
  const changed = new ChangedKeys(signal);
  services.onChange((change) => changed.add(serviceKey(change.object.metadata)));
  slices.onChange((change) => {
    changed.add(ownerOf(change.object));
    if (change.kind === "updated") changed.add(ownerOf(change.old));
  });
  const virtualRanges = [network.serviceCidr, network.loadBalancerCidr];
  const syncer = new Syncer(options.nft ?? systemNft, virtualRanges, log);

  function updateOf(key: string): ServiceUpdate {
    const service = serviceAt(services.lister, key);
    const input = { slices: slices.lister.byIndex(BY_SERVICE, key), nodeName, nodeAddress };
    const frontends = service === undefined ? [] : frontendsOf({ ...input, service });
    return { serviceKey: key, frontends };
  }

  async function follow(): Promise<void> {
    const backoff = new Backoff({ baseMs: 50, maxMs: 5_000 });
    let retry: string[] = [];
    // The first transaction holds everything, or Services would be missing for a moment.
    let batch = changed.take(Number.MAX_SAFE_INTEGER);
    while (!signal.aborted) {
      try {
        await syncer.apply(batch.map(updateOf), signal);
        retry = [];
        backoff.reset();
        await changed.wait();
      } catch (error) {
        if (signal.aborted) return;
        log(`proxy: ${describeError(error)}; trying again`);
        retry = batch;
        await delay(backoff.nextMs(), signal);
      }
      batch = [...new Set([...retry, ...changed.take(MAX_BATCH)])];
    }
  }

  const running = Promise.all([services.run(signal), slices.run(signal)]);
  const synced = Promise.all([services.synced, slices.synced]);
  const isSynced = await Promise.race([synced.then(() => true), running.then(() => false)]);
  if (isSynced) await follow();
  await running;
}

function ownerOf(slice: EndpointSlice): string {
  const name = slice.metadata.labels?.[SERVICE_NAME] ?? "";
  return serviceKey({ namespace: slice.metadata.namespace, name });
}

function serviceAt(lister: Lister<Service>, key: string): Service | undefined {
  const slash = key.indexOf("/");
  return lister.get(key.slice(0, slash), key.slice(slash + 1));
}

/** The address of this network namespace that lies on the fabric. */
function findNodeAddress(network: ClusterNetwork): string {
  const prefix = network.hostAddress.slice(0, network.hostAddress.lastIndexOf(".") + 1);
  const own = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  const found = own.find((at) => at.family === "IPv4" && at.address.startsWith(prefix));
  if (found === undefined) {
    throw new Error(
      `no link has an address of ${network.fabricCidr}: the proxy runs inside a node's namespace`,
    );
  }
  return found.address;
}
