/** What garbage collection does with one object; the graph says when to look, the server what is. */

import type { ObjectMeta, OwnerReference } from "#cluster/api/meta.ts";
import type { DeleteOptions } from "#cluster/client/client.ts";
import { deletionMode, FOREGROUND, ORPHAN } from "./owner-graph.ts";
import type { GraphNode, OwnerGraph } from "./owner-graph.ts";

/** An owner as the server has it: `unknown` when its kind can't be resolved. */
export type OwnerState = "present" | "waiting" | "absent" | "unknown";

export interface CollectActions {
  /** The object's metadata now; undefined when it is gone or has become another one. */
  readLive(node: GraphNode): Promise<ObjectMeta | undefined>;
  /** Verified with the server. `waiting`: it is deleted in the foreground. */
  ownerState(node: GraphNode, owner: OwnerReference): Promise<OwnerState>;
  /** Only if the object still has this uid. */
  remove(node: GraphNode, policy: NonNullable<DeleteOptions["propagationPolicy"]>): Promise<void>;
  /** Fails with Conflict when the object changed since `live` was read. */
  setOwners(node: GraphNode, live: ObjectMeta, owners: OwnerReference[]): Promise<void>;
  setFinalizers(node: GraphNode, live: ObjectMeta, finalizers: string[]): Promise<void>;
  /** Look at an object again. */
  enqueue(uid: string): void;
}

/** Brings one object further: deletes it, frees it of owners, or lets it go. */
export async function collect(
  node: GraphNode,
  graph: OwnerGraph,
  actions: CollectActions,
): Promise<void> {
  switch (deletionMode(node)) {
    case "orphan":
      await orphanDependents(node, graph, actions);
      return;
    case "foreground":
      await awaitDependents(node, graph, actions);
      return;
    case "none":
      if (!node.isDeleting && node.owners.length > 0) await considerOwners(node, graph, actions);
  }
}

async function considerOwners(
  node: GraphNode,
  graph: OwnerGraph,
  actions: CollectActions,
): Promise<void> {
  const live = await actions.readLive(node);
  const owners = live?.ownerReferences ?? [];
  if (live === undefined || owners.length === 0 || live.deletionTimestamp !== undefined) return;
  const states = new Map<OwnerReference, OwnerState>();
  for (const owner of owners) states.set(owner, await actions.ownerState(node, owner));
  const isKept = (owner: OwnerReference): boolean => {
    const state = states.get(owner);
    return state === "present" || state === "unknown";
  };
  const kept = owners.filter(isKept);
  if (kept.length > 0) {
    // Others own it: it only loses the references to those that are gone or going.
    if (kept.length < owners.length) await actions.setOwners(node, live, kept);
    return;
  }
  const isAwaited = [...states.values()].includes("waiting");
  if (isAwaited && graph.dependentsOf(node.uid).length > 0) {
    // An owner waits for us: our own dependents have to go first.
    await actions.remove(node, "Foreground");
    return;
  }
  const finalizers = live.finalizers ?? [];
  await actions.remove(
    node,
    finalizers.includes(ORPHAN)
      ? "Orphan"
      : finalizers.includes(FOREGROUND)
        ? "Foreground"
        : "Background",
  );
}

/** Foreground: the object goes when no dependent holds it back. */
async function awaitDependents(
  node: GraphNode,
  graph: OwnerGraph,
  actions: CollectActions,
): Promise<void> {
  const blocking = graph.blockingDependentsOf(node.uid);
  for (const dependent of graph.dependentsOf(node.uid)) actions.enqueue(dependent.uid);
  if (blocking.length > 0) return;
  await dropFinalizer(node, FOREGROUND, actions);
}

async function orphanDependents(
  node: GraphNode,
  graph: OwnerGraph,
  actions: CollectActions,
): Promise<void> {
  for (const dependent of graph.dependentsOf(node.uid)) {
    const live = await actions.readLive(dependent);
    const owners = live?.ownerReferences ?? [];
    const kept = owners.filter(({ uid }) => uid !== node.uid);
    if (live !== undefined && kept.length < owners.length) {
      await actions.setOwners(dependent, live, kept);
    }
  }
  await dropFinalizer(node, ORPHAN, actions);
}

async function dropFinalizer(
  node: GraphNode,
  finalizer: string,
  actions: CollectActions,
): Promise<void> {
  const live = await actions.readLive(node);
  if (live?.finalizers?.includes(finalizer) !== true) return;
  const rest = live.finalizers.filter((name) => name !== finalizer);
  await actions.setFinalizers(node, live, rest);
}
