/** Brings the number of pods to the number wanted. */

import type { ReplicaSet } from "#cluster/api/generated/apps-v1.ts";
import type { Pod } from "#cluster/api/generated/core-v1.ts";
import type { Creatable } from "#cluster/api/meta.ts";
import { controllerReference } from "#cluster/api/owner-reference.ts";
import { isPodActive } from "#cluster/api/pod.ts";
import { REPLICA_SETS } from "#cluster/api/resources.ts";
import { rankForDeletion } from "./rank-pods.ts";

/** Kubernetes' `BurstReplicas`: pods created or deleted in one reconcile. */
const MAX_BURST = 500;
const FIRST_BATCH = 1;

export interface ScaleInput {
  replicaSet: ReplicaSet;
  /** All pods that it owns. */
  pods: readonly Pod[];
  /** Pods that do the same work, for spreading deletions. */
  siblings: readonly Pod[];
}

export interface ScaleActions {
  createPod(pod: Creatable<Pod>): Promise<void>;
  deletePod(pod: Pod): Promise<void>;
}

export type ScaleFailure =
  | { reason: "FailedCreate"; message: string; cause: unknown }
  | { reason: "FailedDelete"; message: string; cause: unknown };

/** Answers with the first failure; what is still missing is left to the next reconcile. */
export async function scalePods(
  input: ScaleInput,
  actions: ScaleActions,
): Promise<ScaleFailure | undefined> {
  const active = input.pods.filter(isPodActive);
  const wanted = input.replicaSet.spec?.replicas ?? 1;
  const missing = wanted - active.length;
  try {
    if (missing > 0) {
      const pod = podOf(input.replicaSet);
      await inGrowingBatches(Math.min(missing, MAX_BURST), () => actions.createPod(pod));
    }
  } catch (error) {
    return { reason: "FailedCreate", message: messageOf(error), cause: error };
  }
  if (missing >= 0) return undefined;
  const surplus = rankForDeletion(active, input.siblings).slice(0, Math.min(-missing, MAX_BURST));
  const results = await Promise.allSettled(surplus.map((pod) => actions.deletePod(pod)));
  const failed = results.find((result) => result.status === "rejected");
  if (failed === undefined) return undefined;
  return { reason: "FailedDelete", message: messageOf(failed.reason), cause: failed.reason };
}

/** A pod as the ReplicaSet's template describes it; the server names it. */
export function podOf(replicaSet: ReplicaSet): Creatable<Pod> {
  const { template } = replicaSet.spec ?? {};
  const { labels, annotations, finalizers } = template?.metadata ?? {};
  return {
    metadata: {
      namespace: replicaSet.metadata.namespace,
      generateName: `${replicaSet.metadata.name}-`,
      labels,
      annotations,
      finalizers,
      ownerReferences: [controllerReference(REPLICA_SETS, replicaSet)],
    },
    spec: template?.spec,
  };
}

/**
 * Calls 1, 2, 4, 8 … times at once, so that what can't work (a quota, a webhook that refuses) fails
 * once and not a hundred times. Throws the first failure of a batch, without starting another.
 */
async function inGrowingBatches(count: number, call: () => Promise<void>): Promise<void> {
  let remaining = count;
  for (let size = FIRST_BATCH; remaining > 0; size *= 2) {
    const batch = Math.min(size, remaining);
    const results = await Promise.allSettled(Array.from({ length: batch }, () => call()));
    const failed = results.find((result) => result.status === "rejected");
    if (failed !== undefined) throw failed.reason;
    remaining -= batch;
  }
}

function messageOf(error: unknown): string {
  return Error.isError(error) ? error.message : String(error);
}
