/** One Deployment, step by step. */

import type { Deployment, DeploymentStatus, ReplicaSet } from "#cluster/api/generated/apps-v1.ts";
import { rfc3339 } from "#cluster/client/clock.ts";
import { findCondition, REASONS, withCondition } from "./conditions.ts";
import { ensureCurrent } from "./current-replica-set.ts";
import type { CurrentActions, CurrentInput } from "./current-replica-set.ts";
import {
  countStatus,
  deadlineMs,
  isComplete,
  isSameStatus,
  rolloutStatus,
} from "./deployment-status.ts";
import { isScaling, scaleSizes } from "./proportional-scale.ts";
import { sortReplicaSets, wantedOf } from "./replica-sets.ts";
import type { ReplicaSets } from "./replica-sets.ts";
import { revisionOf } from "./revision.ts";
import { nextRollingMove } from "./rolling-update.ts";
import type { Resize } from "./rolling-update.ts";
import { rolloutSpecOf } from "./rollout-spec.ts";
import type { RolloutSpec } from "./rollout-spec.ts";

export interface DeploymentActions extends CurrentActions {
  /** Adopts and releases; answers with all ReplicaSets that the Deployment owns then. */
  claimReplicaSets(deployment: Deployment): Promise<ReplicaSet[]>;
  /** Sets the size and the annotations that record it, and tells in an event. */
  resize(resize: Resize, spec: RolloutSpec): Promise<ReplicaSet>;
  deleteReplicaSet(replicaSet: ReplicaSet): Promise<void>;
  /** Whether pods of these still run or end. */
  havePods(replicaSets: readonly ReplicaSet[]): boolean;
  writeStatus(deployment: Deployment, status: DeploymentStatus): Promise<void>;
  nowMs(): number;
  wakeAt(ms: number): void;
}

interface World extends CurrentInput {
  /** What the server has: to see whether a status is news. */
  stored: DeploymentStatus | undefined;
}

/** Makes one move towards what is wanted and writes the status; what follows wakes it again. */
export async function reconcileDeployment(
  deployment: Deployment,
  actions: DeploymentActions,
): Promise<void> {
  const owned = await actions.claimReplicaSets(deployment);
  const spec = rolloutSpecOf(deployment);
  const world: World = {
    deployment,
    spec,
    sets: sortReplicaSets(deployment, owned),
    now: rfc3339(actions.nowMs()),
    stored: deployment.status,
  };
  if (deployment.metadata.deletionTimestamp !== undefined) {
    await report(world, countStatus(world), actions);
    return;
  }
  world.deployment = withPause(world);
  const sizes =
    spec.paused || isScaling(spec, world.sets) ? scaleSizes(deployment, spec, world.sets) : [];
  if (spec.paused || sizes.length > 0) await scale(world, sizes, actions);
  else if (spec.strategy === "Recreate") await recreate(world, actions);
  else await rollOut(world, actions);
}

async function scale(
  world: World,
  sizes: readonly Resize[],
  actions: DeploymentActions,
): Promise<void> {
  if (!(await prepare(world, false, actions))) return;
  await resizeAll(world, sizes, actions);
  if (world.spec.paused) await removeHistory(world, actions);
  await report(world, countStatus(world), actions);
}

async function rollOut(world: World, actions: DeploymentActions): Promise<void> {
  if (!(await prepare(world, true, actions))) return;
  const moves = nextRollingMove(world.spec, world.sets);
  await resizeAll(world, moves, actions);
  await finish(world, actions);
}

/** All old pods end before the first new one starts. */
async function recreate(world: World, actions: DeploymentActions): Promise<void> {
  if (!(await prepare(world, false, actions))) return;
  const { spec } = world;
  const toStop = world.sets.old
    .filter((replicaSet) => wantedOf(replicaSet) > 0)
    .map((replicaSet) => ({ replicaSet, replicas: 0 }));
  if (toStop.length > 0) {
    await resizeAll(world, toStop, actions);
  } else if (!actions.havePods(world.sets.old)) {
    if (!(await prepare(world, true, actions))) return;
    const { current } = world.sets;
    if (current !== undefined && wantedOf(current) !== spec.replicas) {
      await resizeAll(world, [{ replicaSet: current, replicas: spec.replicas }], actions);
    }
  }
  await finish(world, actions);
}

/** False when this reconcile ends here, its status written. */
async function prepare(
  world: World,
  isCreating: boolean,
  actions: DeploymentActions,
): Promise<boolean> {
  const result = await ensureCurrent(world, isCreating, actions);
  world.deployment = result.deployment;
  if (result.kind === "ready") {
    world.sets = result.sets;
    return true;
  }
  await report(world, countStatus(world), actions);
  if (result.kind === "failed") throw result.error;
  return false;
}

async function resizeAll(
  world: World,
  sizes: readonly Resize[],
  actions: DeploymentActions,
): Promise<void> {
  for (const size of sizes) {
    const resized = await actions.resize(size, world.spec);
    const swap = (set: ReplicaSet): ReplicaSet =>
      set.metadata.uid === resized.metadata.uid ? resized : set;
    const { current, old }: ReplicaSets = world.sets;
    world.sets = { current: current && swap(current), old: old.map(swap) };
  }
}

async function finish(world: World, actions: DeploymentActions): Promise<void> {
  const status = rolloutStatus(world);
  if (isComplete(world.deployment, world.spec, status)) await removeHistory(world, actions);
  await report(world, status, actions);
}

async function report(
  world: World,
  status: DeploymentStatus,
  actions: DeploymentActions,
): Promise<void> {
  if (!isSameStatus(world.stored, status)) await actions.writeStatus(world.deployment, status);
  const lateMs = deadlineMs(world.spec, status);
  // A second more: times in a status are whole seconds.
  if (lateMs !== undefined) actions.wakeAt(lateMs + 1_000);
}

/** Deletes the oldest revisions above the limit that have no pods left. */
async function removeHistory(world: World, actions: DeploymentActions): Promise<void> {
  const limit = world.spec.revisionHistoryLimit;
  if (limit === undefined) return;
  const alive = world.sets.old.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
  const surplus = alive
    .toSorted((a, b) => revisionOf(a) - revisionOf(b))
    .slice(0, Math.max(0, alive.length - limit));
  for (const replicaSet of surplus) {
    const isIdle = wantedOf(replicaSet) === 0 && (replicaSet.status?.replicas ?? 0) === 0;
    const observed = replicaSet.status?.observedGeneration ?? 0;
    const isObserved = (replicaSet.metadata.generation ?? 0) <= observed;
    if (isIdle && isObserved) await actions.deleteReplicaSet(replicaSet);
  }
}

/** Pausing stops the deadline's clock, resuming starts it anew. */
function withPause({ deployment, spec, now }: World): Deployment {
  const conditions = deployment.status?.conditions ?? [];
  const reason = findCondition(conditions, "Progressing")?.reason;
  if (spec.progressDeadlineSeconds === undefined || reason === REASONS.timedOut) return deployment;
  const isMarked = reason === REASONS.paused;
  if (spec.paused === isMarked) return deployment;
  const changed = withCondition(
    conditions,
    {
      type: "Progressing",
      status: "Unknown",
      reason: spec.paused ? REASONS.paused : REASONS.resumed,
      message: spec.paused ? "Deployment is paused" : "Deployment is resumed",
    },
    { now },
  );
  return { ...deployment, status: { ...deployment.status, conditions: changed } };
}
