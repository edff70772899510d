import type { KubeClient } from "#cluster/client/client.ts";
import { createClient } from "#cluster/client/http-client.ts";
import { inClusterConfig, loadKubeconfig } from "#cluster/client/kubeconfig.ts";
import { DEFAULT_MESH } from "#pilot/model/mesh-config.ts";
import type { Problem } from "#pilot/model/problem.ts";
import type { PlatformEvent } from "#pilot/registry/registry.ts";
import { AddressAllocator } from "./address-allocator.ts";
import { GatewayNames } from "./gateway-names.ts";
import { startKubernetesSource } from "./kubernetes-source.ts";
import type { EventSink } from "./object-feed.ts";
import { RemoteClusters } from "./remote-clusters.ts";

export interface MeshSourceOptions {
  /** A file, or `in-cluster` for the pod's own account. */
  readonly kubeconfig: string;
  readonly clusterId?: string;
  readonly feed: EventSink;
  readonly log: (line: string) => void;
  readonly signal: AbortSignal;
  /** Problems of further clusters may be others than before. */
  readonly onChange: () => void;
}

export interface MeshSource {
  readonly client: KubeClient;
  /** Of further clusters. */
  problems(): readonly Problem[];
  /** Gives ServiceEntries their addresses from now on, as long as this replica leads. */
  allocateAddresses(): void;
  /** Call it when the signal has aborted: lets others lead, then ends the connections. */
  close(): Promise<void>;
}

/**
 * The cluster that configuration comes from, and the further ones that its Secrets name. Resolves
 * when everything has been delivered, of further clusters what came within a bound.
 */
export async function startMeshSource(options: MeshSourceOptions): Promise<MeshSource> {
  const { kubeconfig, log, signal, onChange } = options;
  const feed = new GatewayNames({ feed: options.feed, log, signal });
  const config =
    kubeconfig === "in-cluster" ? await inClusterConfig() : await loadKubeconfig(kubeconfig);
  const client = createClient(config);
  const { rootNamespace } = DEFAULT_MESH;
  const allocator = new AddressAllocator({ client, namespace: rootNamespace, log, signal });
  const remote = new RemoteClusters({
    client,
    rootNamespace,
    clusterId: options.clusterId ?? DEFAULT_MESH.clusterId,
    feed,
    log,
    signal,
    onChange,
  });
  const both = {
    handle(event: PlatformEvent): void {
      feed.handle(event);
      allocator.handle(event);
    },
  };
  let leading: Promise<void> = Promise.resolve();
  const followed = startKubernetesSource({ client, feed: both, log, signal });
  await Promise.all([followed, remote.start()]);
  return {
    client,
    problems: () => remote.problems(),
    allocateAddresses() {
      leading = allocator.run();
    },
    async close() {
      await leading;
      client.close();
    },
  };
}
