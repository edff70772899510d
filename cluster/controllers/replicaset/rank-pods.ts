/** Which pods go first when a ReplicaSet shrinks (Kubernetes' `ActivePodsWithRanks`). */

import type { Pod } from "#cluster/api/generated/core-v1.ts";
import { isPodReady, podCondition } from "#cluster/api/pod.ts";

const DELETION_COST = "controller.kubernetes.io/pod-deletion-cost";
const PHASE_ORDER: Readonly<Record<string, number>> = { Pending: 0, Unknown: 1, Running: 2 };

/**
 * A copy, first to delete first: unassigned, pending, not ready, cheap to delete, on a node with
 * many siblings, ready for a short time, often restarted, newest.
 * `siblings` are all pods that do the same work, of this ReplicaSet or of its deployment's others.
 */
export function rankForDeletion(pods: readonly Pod[], siblings: readonly Pod[]): Pod[] {
  const perNode = new Map<string, number>();
  for (const pod of siblings) {
    const node = pod.spec?.nodeName ?? "";
    perNode.set(node, (perNode.get(node) ?? 0) + 1);
  }
  const keys = pods.map((pod) => ({ pod, key: deletionKey(pod, perNode) }));
  return keys.toSorted((a, b) => compareKeys(a.key, b.key)).map(({ pod }) => pod);
}

/** Numbers to compare in order; the smaller goes first. */
function deletionKey(pod: Pod, perNode: ReadonlyMap<string, number>): number[] {
  const node = pod.spec?.nodeName ?? "";
  const isReady = isPodReady(pod);
  const readySinceMs = timeOf(podCondition(pod, "Ready")?.lastTransitionTime);
  return [
    node === "" ? 0 : 1,
    PHASE_ORDER[pod.status?.phase ?? "Pending"] ?? 1,
    isReady ? 1 : 0,
    deletionCost(pod),
    -(perNode.get(node) ?? 0),
    isReady ? -readySinceMs : 0,
    -mostRestarts(pod),
    -timeOf(pod.metadata.creationTimestamp),
  ];
}

function compareKeys(a: readonly number[], b: readonly number[]): number {
  for (const [index, value] of a.entries()) {
    const difference = value - (b[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

function deletionCost(pod: Pod): number {
  const text = pod.metadata.annotations?.[DELETION_COST] ?? "0";
  return /^-?[0-9]{1,10}$/.test(text) ? Number(text) : 0;
}

function mostRestarts(pod: Pod): number {
  return Math.max(0, ...(pod.status?.containerStatuses ?? []).map((status) => status.restartCount));
}

/** An unknown time counts as now: the latest. */
function timeOf(time: string | undefined): number {
  const ms = Date.parse(time ?? "");
  return Number.isNaN(ms) ? Number.MAX_SAFE_INTEGER : ms;
}
