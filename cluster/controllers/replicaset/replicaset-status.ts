/** What a ReplicaSet's status says about its pods. */

import type {
  ReplicaSet,
  ReplicaSetCondition,
  ReplicaSetStatus,
} from "#cluster/api/generated/apps-v1.ts";
import type { Pod } from "#cluster/api/generated/core-v1.ts";
import { availableAtMs, isPodActive, isPodReady, isPodTerminal } from "#cluster/api/pod.ts";
import { matchesLabels } from "#cluster/api/selector.ts";

export interface StatusInput {
  replicaSet: ReplicaSet;
  /** All pods that it owns, also those that end. */
  pods: readonly Pod[];
  /** The failure of the scaling just tried. */
  failure?: { reason: "FailedCreate" | "FailedDelete"; message: string };
  nowMs: number;
  /** RFC 3339. */
  now: string;
}

export interface StatusResult {
  status: ReplicaSetStatus;
  /** When the next ready pod becomes available, if one is about to. */
  nextAvailableMs?: number;
}

/** Counts the pods; conditions other than ReplicaFailure are kept. */
export function buildStatus(input: StatusInput): StatusResult {
  const { replicaSet, pods, nowMs } = input;
  const active = pods.filter(isPodActive);
  const templateLabels = replicaSet.spec?.template?.metadata?.labels ?? {};
  const times = active.map((pod) => availableAtMs(pod, replicaSet.spec?.minReadySeconds ?? 0));
  const future = times.filter((time) => time !== undefined && time > nowMs);
  const nextAvailableMs = future.length === 0 ? undefined : Math.min(...future.map(Number));
  const conditions = buildConditions(input);
  return {
    status: {
      replicas: active.length,
      fullyLabeledReplicas: active.filter((pod) =>
        matchesLabels(templateLabels, pod.metadata.labels),
      ).length,
      readyReplicas: active.filter(isPodReady).length,
      availableReplicas: times.filter((time) => time !== undefined && time <= nowMs).length,
      terminatingReplicas: pods.filter(
        (pod) => pod.metadata.deletionTimestamp !== undefined && !isPodTerminal(pod),
      ).length,
      observedGeneration: replicaSet.metadata.generation,
      ...(conditions.length === 0 ? {} : { conditions }),
    },
    nextAvailableMs,
  };
}

function buildConditions({ replicaSet, failure, now }: StatusInput): ReplicaSetCondition[] {
  const old = replicaSet.status?.conditions ?? [];
  const kept = old.filter(({ type }) => type !== "ReplicaFailure");
  if (failure === undefined) return kept;
  const before = old.find(({ type }) => type === "ReplicaFailure");
  if (before?.reason === failure.reason && before.message === failure.message) return old;
  const lastTransitionTime = before?.lastTransitionTime ?? now;
  return [...kept, { type: "ReplicaFailure", status: "True", ...failure, lastTransitionTime }];
}

/** Whether two statuses say the same; absent counts are zero. */
export function isSameStatus(a: ReplicaSetStatus | undefined, b: ReplicaSetStatus): boolean {
  return (
    a !== undefined &&
    a.replicas === b.replicas &&
    (a.fullyLabeledReplicas ?? 0) === (b.fullyLabeledReplicas ?? 0) &&
    (a.readyReplicas ?? 0) === (b.readyReplicas ?? 0) &&
    (a.availableReplicas ?? 0) === (b.availableReplicas ?? 0) &&
    (a.terminatingReplicas ?? 0) === (b.terminatingReplicas ?? 0) &&
    a.observedGeneration === b.observedGeneration &&
    JSON.stringify(a.conditions ?? []) === JSON.stringify(b.conditions ?? [])
  );
}
