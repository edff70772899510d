/** Removes pods that no kubelet will remove: of vanished nodes, and ended ones above a bound. */

import type { Pod } from "#cluster/api/generated/core-v1.ts";
import { isPodTerminal } from "#cluster/api/pod.ts";
import { NODES, PODS } from "#cluster/api/resources.ts";
import { hasReason } from "#cluster/api/status-error.ts";
import { rfc3339 } from "#cluster/client/clock.ts";
import type { ControllerContext } from "#cluster/client/controller-context.ts";
import { runReconciler } from "#cluster/client/reconciler.ts";
import { WorkQueue } from "#cluster/client/work-queue.ts";

/** Kubernetes' `--terminated-pod-gc-threshold`. */
const MAX_TERMINATED = 12_500;
const PERIOD_MS = 20_000;
const ALL = "all";

/** Sweeps every 20 s and when a node goes, until the context's signal aborts. */
export async function runPodGcController(
  context: ControllerContext,
  maxTerminated = MAX_TERMINATED,
): Promise<void> {
  const { client, informers, clock, signal } = context;
  const queue = new WorkQueue(clock);
  const nodes = informers.get(NODES);
  const pods = informers.get(PODS);
  nodes.onChange(({ kind }) => {
    if (kind === "deleted") queue.add(ALL);
  });
  await Promise.all([nodes.synced, pods.synced]);
  queue.add(ALL);

  const isNodeGone = async (name: string): Promise<boolean> => {
    if (nodes.lister.get(undefined, name) !== undefined) return false;
    try {
      await client.get(NODES, { name });
      return false;
    } catch (error) {
      if (hasReason(error, "NotFound")) return true;
      throw error;
    }
  };

  await runReconciler({
    name: "pod-gc-controller",
    queue,
    concurrency: 1,
    signal,
    async reconcile() {
      queue.addAfter(ALL, PERIOD_MS);
      const all = pods.lister.list();
      const gone = new Set<string>();
      for (const name of new Set(all.map((pod) => pod.spec?.nodeName ?? ""))) {
        if (name !== "" && (await isNodeGone(name))) gone.add(name);
      }
      for (const pod of all) {
        if (gone.has(pod.spec?.nodeName ?? "")) await removeOrphan(context, pod);
        else if (isUnscheduledAndDeleting(pod)) await remove(context, pod);
      }
      for (const pod of surplusTerminated(all, maxTerminated)) await remove(context, pod);
    },
  });
}

/** The oldest ended pods above the bound. */
export function surplusTerminated(pods: readonly Pod[], bound: number): Pod[] {
  const ended = pods.filter(isPodTerminal);
  const age = ({ metadata }: Pod): string => metadata.creationTimestamp ?? "";
  return ended
    .toSorted((a, b) => (age(a) < age(b) ? -1 : 1))
    .slice(0, Math.max(0, ended.length - bound));
}

function isUnscheduledAndDeleting(pod: Pod): boolean {
  return pod.metadata.deletionTimestamp !== undefined && (pod.spec?.nodeName ?? "") === "";
}

/** Says that the pod has failed before it goes, for those who watch. */
async function removeOrphan(context: ControllerContext, pod: Pod): Promise<void> {
  const { client, clock } = context;
  if (!isPodTerminal(pod)) {
    const condition = {
      type: "DisruptionTarget",
      status: "True",
      reason: "DeletionByPodGC",
      message: "PodGC: node no longer exists",
      lastTransitionTime: rfc3339(clock.nowMs()),
    };
    const conditions = (pod.status?.conditions ?? []).filter(({ type }) => type !== condition.type);
    const status = { ...pod.status, phase: "Failed", conditions: [...conditions, condition] };
    try {
      await client.updateStatus(PODS, { ...pod, status });
    } catch (error) {
      if (!hasReason(error, "NotFound")) throw error;
    }
  }
  await remove(context, pod);
}

async function remove({ client }: ControllerContext, pod: Pod): Promise<void> {
  const preconditions = { uid: pod.metadata.uid };
  try {
    await client.delete(PODS, pod.metadata, { gracePeriodSeconds: 0, preconditions });
  } catch (error) {
    if (!hasReason(error, "NotFound") && !hasReason(error, "Conflict")) throw error;
  }
}
