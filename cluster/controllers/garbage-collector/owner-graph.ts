/** Who owns whom, over all objects of the cluster, kept by uid. */

import type { ObjectMeta, OwnerReference } from "#cluster/api/meta.ts";
import type { Resource } from "#cluster/api/resources.ts";

export const FOREGROUND = "foregroundDeletion";
export const ORPHAN = "orphan";

/** An object as far as garbage collection is concerned. */
export interface GraphNode {
  uid: string;
  resource: Resource;
  namespace: string | undefined;
  name: string;
  owners: readonly OwnerReference[];
  finalizers: readonly string[];
  isDeleting: boolean;
}

/** How a node is being deleted; `none` also when an object merely waits for its grace period. */
export type DeletionMode = "none" | "foreground" | "orphan";

export function deletionMode({ isDeleting, finalizers }: GraphNode): DeletionMode {
  if (!isDeleting) return "none";
  if (finalizers.includes(ORPHAN)) return "orphan";
  return finalizers.includes(FOREGROUND) ? "foreground" : "none";
}

export function nodeOf(resource: Resource, metadata: ObjectMeta): GraphNode {
  return {
    uid: metadata.uid ?? "",
    resource,
    namespace: metadata.namespace,
    name: metadata.name,
    owners: metadata.ownerReferences ?? [],
    finalizers: metadata.finalizers ?? [],
    isDeleting: metadata.deletionTimestamp !== undefined,
  };
}

/** Edges may lead to owners that aren't there (yet, or any more). */
export class OwnerGraph {
  readonly #nodes = new Map<string, GraphNode>();
  readonly #dependents = new Map<string, Set<string>>();

  get size(): number {
    return this.#nodes.size;
  }

  get(uid: string): GraphNode | undefined {
    return this.#nodes.get(uid);
  }

  uids(): IterableIterator<string> {
    return this.#nodes.keys();
  }

  dependentsOf(uid: string): GraphNode[] {
    return [...(this.#dependents.get(uid) ?? [])].flatMap((dependent) => {
      const node = this.#nodes.get(dependent);
      return node === undefined ? [] : [node];
    });
  }

  /** Dependents whose existence holds back an owner deleted in the foreground. */
  blockingDependentsOf(uid: string): GraphNode[] {
    return this.dependentsOf(uid).filter(({ owners }) =>
      owners.some((owner) => owner.uid === uid && owner.blockOwnerDeletion === true),
    );
  }

  set(node: GraphNode): void {
    const old = this.#nodes.get(node.uid);
    if (old !== undefined) this.#unlink(old);
    this.#nodes.set(node.uid, node);
    for (const { uid } of node.owners) {
      const dependents = this.#dependents.get(uid) ?? new Set();
      this.#dependents.set(uid, dependents.add(node.uid));
    }
  }

  remove(uid: string): void {
    const old = this.#nodes.get(uid);
    if (old === undefined) return;
    this.#unlink(old);
    this.#nodes.delete(uid);
  }

  #unlink(node: GraphNode): void {
    for (const { uid } of node.owners) {
      const dependents = this.#dependents.get(uid);
      dependents?.delete(node.uid);
      if (dependents?.size === 0) this.#dependents.delete(uid);
    }
  }
}
