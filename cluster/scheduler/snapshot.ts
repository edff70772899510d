/** The nodes and what is on them at one moment: all that plugins see. */

import type { Node, Pod, Service } from "#cluster/api/generated/core-v1.ts";
import { isPodTerminal } from "#cluster/api/pod.ts";
import { add, allocatableOf, podRequests } from "#cluster/api/pod-resources.ts";
import type { Amounts } from "#cluster/api/pod-resources.ts";

export interface NodeInfo {
  readonly node: Node;
  readonly allocatable: Amounts;
  /** Sum of the requests of its pods. */
  readonly requested: Amounts;
  readonly pods: readonly Pod[];
}

export interface Snapshot {
  /** Sorted by name. */
  readonly nodes: readonly NodeInfo[];
  /** Services of a namespace. */
  servicesOf: (namespace: string | undefined) => readonly Service[];
}

interface Entry extends NodeInfo {
  requested: Map<string, number>;
  pods: Pod[];
}

/**
 * Keeps the snapshot as nodes and pods change, so that a decision costs no pass over all pods. A pod
 * is on a node from the moment it is assumed there, not only when the watch says so.
 */
export class SnapshotCache {
  readonly #entries = new Map<string, Entry>();
  /** Pod uid → where it is counted. */
  readonly #placed = new Map<string, { node: string; pod: Pod; isAssumed: boolean }>();
  /** Pods whose node isn't known (yet). */
  readonly #homeless = new Map<string, Set<string>>();
  #sorted: readonly NodeInfo[] | undefined;

  setNode(node: Node): void {
    const { name } = node.metadata;
    const old = this.#entries.get(name);
    const pods = old?.pods ?? [];
    this.#entries.set(name, {
      node,
      allocatable: allocatableOf(node),
      requested: old?.requested ?? new Map(),
      pods,
    });
    this.#sorted = undefined;
    const waiting = this.#homeless.get(name);
    this.#homeless.delete(name);
    for (const uid of waiting ?? []) {
      const placed = this.#placed.get(uid);
      if (placed !== undefined) this.#count(placed.pod, name, 1);
    }
  }

  removeNode(name: string): void {
    const old = this.#entries.get(name);
    this.#entries.delete(name);
    this.#sorted = undefined;
    const uids = (old?.pods ?? []).map(({ metadata }) => metadata.uid ?? "");
    if (uids.length > 0) this.#homeless.set(name, new Set(uids));
  }

  /** A pod as the watch shows it: counted while it has a node and hasn't ended. */
  setPod(pod: Pod): void {
    const uid = pod.metadata.uid ?? "";
    const node = pod.spec?.nodeName ?? "";
    const placed = this.#placed.get(uid);
    if (node === "" && placed?.isAssumed === true) return;
    this.removePod(pod);
    if (node !== "" && !isPodTerminal(pod)) this.#place(pod, node, false);
  }

  removePod(pod: Pod): void {
    const uid = pod.metadata.uid ?? "";
    const placed = this.#placed.get(uid);
    if (placed === undefined) return;
    this.#placed.delete(uid);
    this.#homeless.get(placed.node)?.delete(uid);
    this.#count(placed.pod, placed.node, -1);
  }

  /** Counts a pod on a node while its binding is under way; `unassume` takes it back. */
  assume(pod: Pod, node: string): void {
    this.removePod(pod);
    this.#place(pod, node, true);
  }

  /** The binding failed; a pod that the watch has meanwhile shown on a node stays there. */
  unassume(pod: Pod): void {
    if (this.#placed.get(pod.metadata.uid ?? "")?.isAssumed === true) this.removePod(pod);
  }

  /** Whether a pod is counted somewhere: bound, or about to be. */
  has(pod: Pod): boolean {
    return this.#placed.has(pod.metadata.uid ?? "");
  }

  get nodes(): readonly NodeInfo[] {
    this.#sorted ??= [...this.#entries.values()].toSorted((a, b) =>
      a.node.metadata.name < b.node.metadata.name ? -1 : 1,
    );
    return this.#sorted;
  }

  #place(pod: Pod, node: string, isAssumed: boolean): void {
    const uid = pod.metadata.uid ?? "";
    this.#placed.set(uid, { node, pod, isAssumed });
    if (this.#entries.has(node)) this.#count(pod, node, 1);
    else this.#homeless.set(node, (this.#homeless.get(node) ?? new Set()).add(uid));
  }

  #count(pod: Pod, node: string, sign: 1 | -1): void {
    const entry = this.#entries.get(node);
    if (entry === undefined) return;
    const requests = podRequests(pod);
    add(entry.requested, sign === 1 ? requests : negated(requests));
    if (sign === 1) {
      entry.pods.push(pod);
      return;
    }
    const index = entry.pods.findIndex(({ metadata }) => metadata.uid === pod.metadata.uid);
    if (index !== -1) entry.pods.splice(index, 1);
  }
}

function negated(amounts: Amounts): Map<string, number> {
  return new Map([...amounts].map(([name, amount]) => [name, -amount]));
}
