/** Deletes objects whose owners are gone, and carries out foreground deletion and orphaning. */

import { LRUCache } from "lru-cache";
import type { AnyObject, KubeObject, OwnerReference } from "#cluster/api/meta.ts";
import { CUSTOM_RESOURCE_DEFINITIONS } from "#cluster/api/resources.ts";
import type { Resource } from "#cluster/api/resources.ts";
import { hasReason } from "#cluster/api/status-error.ts";
import type { KubeClient } from "#cluster/client/client.ts";
import type { ControllerContext } from "#cluster/client/controller-context.ts";
import { discoverResources } from "#cluster/client/discovery.ts";
import type { Change } from "#cluster/client/informer.ts";
import { runReconciler } from "#cluster/client/reconciler.ts";
import { WorkQueue } from "#cluster/client/work-queue.ts";
import { collect } from "./collect.ts";
import type { CollectActions, OwnerState } from "./collect.ts";
import { deletionMode, FOREGROUND, nodeOf, OwnerGraph } from "./owner-graph.ts";
import type { GraphNode } from "./owner-graph.ts";
import { ResourceMonitors } from "./resource-monitors.ts";

const CONCURRENCY = 16;
const DISCOVERY_PERIOD_MS = 30_000;
/** CRDs come in bursts: look when the burst is over. */
const DISCOVERY_PAUSE_MS = 50;
const DISCOVER = "discover";
const MAX_ABSENT = 1_000;

/** Runs until the context's signal aborts. */
export async function runGarbageCollector(context: ControllerContext): Promise<void> {
  const { client, informers, clock, signal } = context;
  const graph = new OwnerGraph();
  const queue = new WorkQueue(clock);
  const discovery = new WorkQueue(clock);
  let isComplete = false;

  const onChange = (resource: Resource, change: Change<AnyObject>): void => {
    for (const uid of applyChange(graph, resource, change)) {
      // Before all resources are known every owner looks absent.
      if (isComplete) queue.add(uid);
    }
  };
  const monitors = new ResourceMonitors({ client, onChange, signal });
  informers
    .get(CUSTOM_RESOURCE_DEFINITIONS)
    .onChange(() => discovery.addAfter(DISCOVER, DISCOVERY_PAUSE_MS));
  discovery.add(DISCOVER);

  const discovering = runReconciler({
    name: "garbage-collector discovery",
    queue: discovery,
    concurrency: 1,
    signal,
    async reconcile() {
      discovery.addAfter(DISCOVER, DISCOVERY_PERIOD_MS);
      const { resources, failures } = await discoverResources(client, signal);
      // Unread groups are no reason to forget what was there.
      if (failures.length > 0) throw new Error(failures.map((one) => one.message).join("; "));
      await raceAbort(monitors.follow(resources), signal);
      if (isComplete || signal.aborted) return;
      isComplete = true;
      for (const uid of graph.uids()) {
        const node = graph.get(uid);
        if (node !== undefined && isWorthALook(node, graph)) queue.add(uid);
      }
    },
  });

  const actions = new Actions(client, { graph, monitors, queue });
  const collecting = runReconciler({
    name: "garbage-collector",
    queue,
    concurrency: CONCURRENCY,
    signal,
    async reconcile(uid) {
      const node = graph.get(uid);
      if (node !== undefined) await collect(node, graph, actions);
    },
  });
  await Promise.all([discovering, collecting]);
}

/** Writes a change into the graph; answers with the uids that deserve a look now. */
function applyChange(graph: OwnerGraph, resource: Resource, change: Change<AnyObject>): string[] {
  const node = nodeOf(resource, change.object.metadata);
  if (change.kind === "deleted") {
    const dependents = graph.dependentsOf(node.uid).map(({ uid }) => uid);
    const waiting = node.owners
      .map(({ uid }) => graph.get(uid))
      .filter((owner) => owner !== undefined && deletionMode(owner) === "foreground")
      .map((owner) => owner?.uid ?? "");
    graph.remove(node.uid);
    return [...dependents, ...waiting];
  }
  const before = graph.get(node.uid);
  graph.set(node);
  // A dependent that let go of its owner may have been the last that held it back.
  const released = (before?.owners ?? [])
    .map(({ uid }) => graph.get(uid))
    .filter((owner) => owner !== undefined && deletionMode(owner) === "foreground")
    .map((owner) => owner?.uid ?? "");
  return isWorthALook(node, graph) ? [...released, node.uid] : released;
}

/** Is being deleted in one of our ways, or has an owner that is absent or going. */
function isWorthALook(node: GraphNode, graph: OwnerGraph): boolean {
  if (deletionMode(node) !== "none") return true;
  return node.owners.some(({ uid }) => {
    const owner = graph.get(uid);
    return owner === undefined || deletionMode(owner) === "foreground";
  });
}

/** Waits for a promise that may never settle once the signal aborts. */
async function raceAbort(promise: Promise<void>, signal: AbortSignal): Promise<void> {
  let stop: () => void = () => undefined;
  const aborted = new Promise<void>((resolve) => {
    stop = resolve;
    if (signal.aborted) resolve();
    signal.addEventListener("abort", stop, { once: true });
  });
  await Promise.race([promise, aborted]);
  signal.removeEventListener("abort", stop);
}

interface Parts {
  graph: OwnerGraph;
  monitors: ResourceMonitors;
  queue: WorkQueue;
}

class Actions implements CollectActions {
  readonly #client: KubeClient;
  readonly #parts: Parts;
  /** Uids don't come back. */
  readonly #absent = new LRUCache<string, true>({ max: MAX_ABSENT });

  constructor(client: KubeClient, parts: Parts) {
    this.#client = client;
    this.#parts = parts;
  }

  enqueue(uid: string): void {
    this.#parts.queue.add(uid);
  }

  async readLive(node: GraphNode): Promise<KubeObject["metadata"] | undefined> {
    const object = await this.#read(node.resource, node);
    return object?.metadata.uid === node.uid ? object.metadata : undefined;
  }

  async ownerState(node: GraphNode, owner: OwnerReference): Promise<OwnerState> {
    if (this.#absent.has(owner.uid)) return "absent";
    const known = this.#parts.graph.get(owner.uid);
    // A reference can't lead into another namespace: such an owner isn't found below.
    if (known !== undefined && [undefined, node.namespace].includes(known.namespace)) {
      return deletionMode(known) === "foreground" ? "waiting" : "present";
    }
    const resource = this.#parts.monitors.resolve(owner.apiVersion, owner.kind);
    // Perhaps of a CRD that we don't know yet: never delete on a guess.
    if (resource === undefined) return "unknown";
    // A cluster-scoped object can't be owned from within a namespace: such a reference dangles, but
    // Kubernetes keeps the object.
    if (resource.namespaced && node.namespace === undefined) return "unknown";
    const namespace = resource.namespaced ? node.namespace : undefined;
    const live = await this.#read(resource, { namespace, name: owner.name });
    if (live?.metadata.uid !== owner.uid) {
      this.#absent.set(owner.uid, true);
      return "absent";
    }
    const isWaiting =
      live.metadata.deletionTimestamp !== undefined &&
      live.metadata.finalizers?.includes(FOREGROUND) === true;
    return isWaiting ? "waiting" : "present";
  }

  async remove(
    node: GraphNode,
    propagationPolicy: "Background" | "Foreground" | "Orphan",
  ): Promise<void> {
    try {
      const preconditions = { uid: node.uid };
      await this.#client.delete(node.resource, node, { propagationPolicy, preconditions });
    } catch (error) {
      if (!hasReason(error, "NotFound") && !hasReason(error, "Conflict")) throw error;
    }
  }

  setOwners(
    node: GraphNode,
    live: KubeObject["metadata"],
    ownerReferences: OwnerReference[],
  ): Promise<void> {
    return this.#patch(node, { resourceVersion: live.resourceVersion, ownerReferences });
  }

  setFinalizers(
    node: GraphNode,
    live: KubeObject["metadata"],
    finalizers: string[],
  ): Promise<void> {
    return this.#patch(node, { resourceVersion: live.resourceVersion, finalizers });
  }

  async #patch(node: GraphNode, metadata: object): Promise<void> {
    try {
      await this.#client.patch(node.resource, node, { type: "merge", body: { metadata } });
    } catch (error) {
      if (!hasReason(error, "NotFound")) throw error;
    }
  }

  async #read(
    resource: Resource,
    { namespace, name }: { namespace?: string | undefined; name: string },
  ): Promise<KubeObject | undefined> {
    try {
      return await this.#client.get(resource, { namespace, name });
    } catch (error) {
      if (hasReason(error, "NotFound")) return undefined;
      throw error;
    }
  }
}
