/** Rolls out Deployments by sizing their ReplicaSets. */

import type { Deployment, ReplicaSet } from "#cluster/api/generated/apps-v1.ts";
import type { Pod } from "#cluster/api/generated/core-v1.ts";
import { controllerOf } from "#cluster/api/owner-reference.ts";
import { isPodTerminal } from "#cluster/api/pod.ts";
import { DEPLOYMENTS, PODS, REPLICA_SETS } from "#cluster/api/resources.ts";
import { matchesLabelSelector } from "#cluster/api/selector.ts";
import { hasReason } from "#cluster/api/status-error.ts";
import { claimDependents } from "#cluster/client/claim-dependents.ts";
import type { ControllerContext } from "#cluster/client/controller-context.ts";
import { EventRecorder, referenceTo } from "#cluster/client/events.ts";
import type { Change, Lister } from "#cluster/client/informer.ts";
import { objectKey, splitKey } from "#cluster/client/object-store.ts";
import { OwnWrites } from "#cluster/client/own-writes.ts";
import { runReconciler } from "#cluster/client/reconciler.ts";
import { WorkQueue } from "#cluster/client/work-queue.ts";
import { reconcileDeployment } from "./deployment-reconcile.ts";
import type { DeploymentActions } from "./deployment-reconcile.ts";
import { wantedOf } from "./replica-sets.ts";
import { sizeAnnotations } from "./revision.ts";

const CONCURRENCY = 8;

/** Runs until the context's signal aborts. */
export async function runDeploymentController(context: ControllerContext): Promise<void> {
  const { informers, clock, signal } = context;
  const queue = new WorkQueue(clock);
  const deployments = informers.get(DEPLOYMENTS);
  const replicaSets = informers.get(REPLICA_SETS);
  const pods = informers.get(PODS);
  const written = new OwnWrites<ReplicaSet>(replicaSets);

  const enqueueOwner = (replicaSet: ReplicaSet): void => {
    const { namespace } = replicaSet.metadata;
    const controller = controllerOf(replicaSet);
    if (controller?.kind === DEPLOYMENTS.kind) queue.add(`${namespace}/${controller.name}`);
    if (controller !== undefined) return;
    for (const deployment of deployments.lister.list(namespace)) {
      if (selects(deployment, replicaSet)) queue.add(objectKey(deployment.metadata));
    }
  };
  deployments.onChange(({ object }) => queue.add(objectKey(object.metadata)));
  replicaSets.onChange((change: Change<ReplicaSet>) => {
    if (change.kind === "updated") enqueueOwner(change.old);
    if (change.kind === "deleted") written.forget(change.object);
    enqueueOwner(change.object);
  });
  // Recreate waits for the last old pod.
  pods.onChange(({ kind, object }) => {
    if (kind !== "deleted" && !isPodTerminal(object)) return;
    const name = controllerOf(object)?.name;
    if (name === undefined) return;
    const replicaSet = replicaSets.lister.get(object.metadata.namespace, name);
    if (replicaSet !== undefined) enqueueOwner(replicaSet);
  });

  await Promise.all([deployments.synced, replicaSets.synced, pods.synced]);
  const actions = new Actions(context, {
    replicaSets: replicaSets.lister,
    pods: pods.lister,
    written,
  });
  await runReconciler({
    name: "deployment-controller",
    queue,
    concurrency: CONCURRENCY,
    signal,
    async reconcile(key) {
      const { namespace, name } = splitKey(key);
      const deployment = deployments.lister.get(namespace, name);
      if (deployment === undefined) return;
      const wakeAt = (ms: number): void => queue.addAfter(key, ms - clock.nowMs());
      await reconcileDeployment(deployment, actions.of(deployment, wakeAt));
    },
  });
}

interface Caches {
  replicaSets: Lister<ReplicaSet>;
  pods: Lister<Pod>;
  written: OwnWrites<ReplicaSet>;
}

/** The writes of a reconcile. */
class Actions {
  readonly #context: ControllerContext;
  readonly #caches: Caches;
  readonly #events: EventRecorder;

  constructor(context: ControllerContext, caches: Caches) {
    const { client, clock, signal } = context;
    this.#context = context;
    this.#caches = caches;
    this.#events = new EventRecorder({ client, component: "deployment-controller", clock, signal });
  }

  of(deployment: Deployment, wakeAt: (ms: number) => void): DeploymentActions {
    const { client, clock, signal } = this.#context;
    const { written } = this.#caches;
    const noted = async (writing: Promise<ReplicaSet>): Promise<ReplicaSet> => {
      const replicaSet = await writing;
      written.note(replicaSet);
      return replicaSet;
    };
    const patch = (replicaSet: ReplicaSet, body: object): Promise<ReplicaSet> =>
      noted(client.patch(REPLICA_SETS, replicaSet.metadata, { type: "merge", body }, { signal }));
    return {
      wakeAt,
      nowMs: () => clock.nowMs(),
      claimReplicaSets: (owner) => this.#claim(owner),
      getReplicaSet: (namespace, name) => client.get(REPLICA_SETS, { namespace, name }),
      patchReplicaSet: patch,
      createReplicaSet: async (wanted) => {
        const created = await noted(client.create(REPLICA_SETS, wanted, { signal }));
        this.#tell(deployment, created, 0);
        return created;
      },
      annotateDeployment: async (object, annotations) => {
        // The revision guards: a status must not claim to have observed a spec that came between.
        const { resourceVersion } = object.metadata;
        const body = { metadata: { annotations, resourceVersion } };
        const at = { type: "merge", body } as const;
        const annotated = await client.patch(DEPLOYMENTS, object.metadata, at, { signal });
        return { ...annotated, status: object.status };
      },
      resize: async ({ replicaSet, replicas }, spec) => {
        const annotations = sizeAnnotations(spec);
        const resized = await patch(replicaSet, { metadata: { annotations }, spec: { replicas } });
        this.#tell(deployment, resized, wantedOf(replicaSet));
        return resized;
      },
      deleteReplicaSet: (replicaSet) => this.#delete(replicaSet),
      havePods: (sets) => this.#havePods(sets),
      writeStatus: async (object, status) => {
        await client.updateStatus(DEPLOYMENTS, { ...object, status }, { signal });
      },
    };
  }

  #claim(deployment: Deployment): Promise<ReplicaSet[]> {
    const { replicaSets, written } = this.#caches;
    const { namespace, uid } = deployment.metadata;
    const listed = replicaSets.list(namespace);
    return claimDependents({
      client: this.#context.client,
      owner: { resource: DEPLOYMENTS, object: deployment },
      dependents: {
        resource: REPLICA_SETS,
        objects: written.over(listed, (replicaSet) => controllerOf(replicaSet)?.uid === uid),
      },
      selects: (replicaSet) => selects(deployment, replicaSet),
    });
  }

  #havePods(replicaSets: readonly ReplicaSet[]): boolean {
    const uids = new Set(replicaSets.map(({ metadata }) => metadata.uid));
    const namespace = replicaSets[0]?.metadata.namespace;
    if (namespace === undefined) return false;
    return (
      replicaSets.some(({ status }) => (status?.replicas ?? 0) > 0) ||
      this.#caches.pods
        .list(namespace)
        .some((pod) => uids.has(controllerOf(pod)?.uid) && !isPodTerminal(pod))
    );
  }

  async #delete(replicaSet: ReplicaSet): Promise<void> {
    const { client, signal } = this.#context;
    const preconditions = { uid: replicaSet.metadata.uid };
    try {
      await client.delete(REPLICA_SETS, replicaSet.metadata, { preconditions, signal });
      this.#caches.written.noteDeleted(replicaSet);
    } catch (error) {
      if (!hasReason(error, "NotFound") && !hasReason(error, "Conflict")) throw error;
    }
  }

  #tell(deployment: Deployment, replicaSet: ReplicaSet, before: number): void {
    const now = wantedOf(replicaSet);
    if (now === before) return;
    const verb = now > before ? "Scaled up" : "Scaled down";
    this.#events.record({
      involved: referenceTo(DEPLOYMENTS, deployment),
      type: "Normal",
      reason: "ScalingReplicaSet",
      message: `${verb} replica set ${replicaSet.metadata.name} from ${before} to ${now}`,
    });
  }
}

function selects(deployment: Deployment, replicaSet: ReplicaSet): boolean {
  return matchesLabelSelector(deployment.spec?.selector, replicaSet.metadata.labels);
}
