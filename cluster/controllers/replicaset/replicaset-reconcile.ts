/** One ReplicaSet, step by step: claim pods, scale, write the status. */

import type { ReplicaSet } from "#cluster/api/generated/apps-v1.ts";
import type { Pod } from "#cluster/api/generated/core-v1.ts";
import { rfc3339 } from "#cluster/client/clock.ts";
import { buildStatus, isSameStatus } from "./replicaset-status.ts";
import { scalePods } from "./scale-pods.ts";
import type { ScaleActions } from "./scale-pods.ts";

export interface ReplicaSetActions extends ScaleActions {
  /** Adopts and releases; answers with all pods that the ReplicaSet owns then. */
  claimPods(replicaSet: ReplicaSet): Promise<Pod[]>;
  siblingsOf(replicaSet: ReplicaSet): Pod[];
  writeStatus(replicaSet: ReplicaSet): Promise<void>;
  nowMs(): number;
  /** Reconcile again at this time. */
  wakeAt(ms: number): void;
}

/** Throws when scaling failed, after the status tells so. */
export async function reconcileReplicaSet(
  replicaSet: ReplicaSet,
  actions: ReplicaSetActions,
): Promise<void> {
  const pods = await actions.claimPods(replicaSet);
  const isDeleting = replicaSet.metadata.deletionTimestamp !== undefined;
  const failure = isDeleting
    ? undefined
    : await scalePods({ replicaSet, pods, siblings: actions.siblingsOf(replicaSet) }, actions);
  const nowMs = actions.nowMs();
  const { status, nextAvailableMs } = buildStatus({
    replicaSet,
    pods,
    nowMs,
    now: rfc3339(nowMs),
    ...(failure === undefined
      ? {}
      : { failure: { reason: failure.reason, message: failure.message } }),
  });
  if (!isSameStatus(replicaSet.status, status)) {
    await actions.writeStatus({ ...replicaSet, status });
  }
  if (nextAvailableMs !== undefined) actions.wakeAt(nextAvailableMs);
  if (failure !== undefined) throw new Error(failure.message, { cause: failure.cause });
}
