/** Keeps as many pods as each ReplicaSet asks for. */

import type { ReplicaSet } from "#cluster/api/generated/apps-v1.ts";
import type { Pod } from "#cluster/api/generated/core-v1.ts";
import { controllerOf } from "#cluster/api/owner-reference.ts";
import { isPodActive } from "#cluster/api/pod.ts";
import { PODS, REPLICA_SETS } from "#cluster/api/resources.ts";
import { matchesLabelSelector } from "#cluster/api/selector.ts";
import { hasReason, isNamespaceTerminating } from "#cluster/api/status-error.ts";
import { claimDependents } from "#cluster/client/claim-dependents.ts";
import type { ControllerContext } from "#cluster/client/controller-context.ts";
import { EventRecorder, referenceTo } from "#cluster/client/events.ts";
import type { Change } from "#cluster/client/informer.ts";
import { objectKey, splitKey } from "#cluster/client/object-store.ts";
import { OwnWrites } from "#cluster/client/own-writes.ts";
import { runReconciler } from "#cluster/client/reconciler.ts";
import { WorkQueue } from "#cluster/client/work-queue.ts";
import { reconcileReplicaSet } from "./replicaset-reconcile.ts";
import type { ReplicaSetActions } from "./replicaset-reconcile.ts";

const CONCURRENCY = 8;

/** Runs until the context's signal aborts. */
export async function runReplicaSetController(context: ControllerContext): Promise<void> {
  const { client, informers, clock, signal } = context;
  const queue = new WorkQueue(clock);
  const replicaSets = informers.get(REPLICA_SETS, { controllerUid: byController });
  const pods = informers.get(PODS, { controllerUid: byController });
  const created = new OwnWrites<Pod>(pods);
  const events = new EventRecorder({ client, component: "replicaset-controller", clock, signal });

  const enqueueOwner = (pod: Pod): void => {
    const controller = controllerOf(pod);
    const { namespace } = pod.metadata;
    if (controller?.kind === REPLICA_SETS.kind) queue.add(`${namespace}/${controller.name}`);
    if (controller !== undefined) return;
    for (const replicaSet of replicaSets.lister.list(namespace)) {
      if (selects(replicaSet, pod)) queue.add(objectKey(replicaSet.metadata));
    }
  };
  replicaSets.onChange(({ object }) => queue.add(objectKey(object.metadata)));
  pods.onChange((change: Change<Pod>) => {
    if (change.kind === "updated") enqueueOwner(change.old);
    if (change.kind === "deleted") created.forget(change.object);
    enqueueOwner(change.object);
  });

  const claimPods = (replicaSet: ReplicaSet): Promise<Pod[]> => {
    const { uid = "", namespace } = replicaSet.metadata;
    const orphans = pods.lister.byIndex("controllerUid", orphansOf(namespace));
    const listed = [
      ...pods.lister.byIndex("controllerUid", uid),
      ...orphans.filter((pod) => isPodActive(pod) && selects(replicaSet, pod)),
    ];
    return claimDependents({
      client,
      owner: { resource: REPLICA_SETS, object: replicaSet },
      dependents: {
        resource: PODS,
        objects: created.over(listed, (pod) => controllerOf(pod)?.uid === uid),
      },
      selects: (pod) => selects(replicaSet, pod),
    });
  };

  const siblingsOf = (replicaSet: ReplicaSet): Pod[] => {
    const owner = controllerOf(replicaSet);
    const group =
      owner === undefined ? [replicaSet] : replicaSets.lister.byIndex("controllerUid", owner.uid);
    return group
      .flatMap(({ metadata }) => [...pods.lister.byIndex("controllerUid", metadata.uid ?? "")])
      .filter(isPodActive);
  };

  const actionsFor = (replicaSet: ReplicaSet, key: string): ReplicaSetActions => {
    const involved = referenceTo(REPLICA_SETS, replicaSet);
    return {
      claimPods,
      siblingsOf,
      async createPod(wanted) {
        try {
          const pod = await client.create(PODS, wanted, { signal });
          created.note(pod);
          const message = `Created pod: ${pod.metadata.name}`;
          events.record({ involved, type: "Normal", reason: "SuccessfulCreate", message });
        } catch (error) {
          if (isNamespaceTerminating(error)) return;
          const message = `Error creating: ${String(error)}`;
          events.record({ involved, type: "Warning", reason: "FailedCreate", message });
          throw error;
        }
      },
      async deletePod(pod) {
        await deletePod(context, pod);
        created.noteDeleted(pod);
        const message = `Deleted pod: ${pod.metadata.name}`;
        events.record({ involved, type: "Normal", reason: "SuccessfulDelete", message });
      },
      async writeStatus(changed) {
        await client.updateStatus(REPLICA_SETS, changed, { signal });
      },
      nowMs: () => clock.nowMs(),
      wakeAt: (ms) => queue.addAfter(key, ms - clock.nowMs()),
    };
  };

  await Promise.all([replicaSets.synced, pods.synced]);
  await runReconciler({
    name: "replicaset-controller",
    queue,
    concurrency: CONCURRENCY,
    signal,
    async reconcile(key) {
      const { namespace, name } = splitKey(key);
      const replicaSet = replicaSets.lister.get(namespace, name);
      if (replicaSet !== undefined) {
        await reconcileReplicaSet(replicaSet, actionsFor(replicaSet, key));
      }
    },
  });
}

/** Objects by their controller; those without one together, by namespace. */
function byController(object: ReplicaSet | Pod): readonly string[] {
  return [controllerOf(object)?.uid ?? orphansOf(object.metadata.namespace)];
}

function orphansOf(namespace: string | undefined): string {
  return `orphans of ${namespace}`;
}

function selects(replicaSet: ReplicaSet, pod: Pod): boolean {
  return matchesLabelSelector(replicaSet.spec?.selector, pod.metadata.labels);
}

/** A pod that is gone, or has become another one, needs no deletion. */
async function deletePod(context: ControllerContext, pod: Pod): Promise<void> {
  const { uid } = pod.metadata;
  try {
    const options = { preconditions: { uid }, signal: context.signal };
    await context.client.delete(PODS, pod.metadata, options);
  } catch (error) {
    if (!hasReason(error, "NotFound") && !hasReason(error, "Conflict")) throw error;
  }
}
