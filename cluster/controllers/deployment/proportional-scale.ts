/** Sizes after `kubectl scale`, also in the middle of a rollout. */

import type { Deployment, ReplicaSet } from "#cluster/api/generated/apps-v1.ts";
import { allOf, byAge, sumWanted, wantedOf } from "./replica-sets.ts";
import type { ReplicaSets } from "./replica-sets.ts";
import { desiredReplicasOf, maxReplicasOf } from "./revision.ts";
import type { Resize } from "./rolling-update.ts";
import type { RolloutSpec } from "./rollout-spec.ts";

/** Whether the Deployment was scaled since its ReplicaSets got their sizes. */
export function isScaling(spec: RolloutSpec, sets: ReplicaSets): boolean {
  return allOf(sets)
    .filter((replicaSet) => wantedOf(replicaSet) > 0)
    .some((replicaSet) => (desiredReplicasOf(replicaSet) ?? spec.replicas) !== spec.replicas);
}

/**
 * With one active ReplicaSet, its size is the Deployment's. With several, in a rolling update, all
 * grow or shrink in proportion, so that a broken new template doesn't get all of the new pods.
 * Every ReplicaSet that took part is in the answer, as its size annotations have to be renewed.
 */
export function scaleSizes(deployment: Deployment, spec: RolloutSpec, sets: ReplicaSets): Resize[] {
  const active = allOf(sets).filter((replicaSet) => wantedOf(replicaSet) > 0);
  if (active.length <= 1) {
    const only = active[0] ?? sets.current ?? sets.old.at(-1);
    return only === undefined ? [] : [{ replicaSet: only, replicas: spec.replicas }];
  }
  if (isSaturated(spec, sets.current)) {
    return active
      .filter((replicaSet) => replicaSet !== sets.current)
      .map((replicaSet) => ({ replicaSet, replicas: 0 }));
  }
  return spec.strategy === "RollingUpdate" ? inProportion(deployment, spec, active) : [];
}

/** The current ReplicaSet has all its pods, so the old ones have nothing left to do. */
function isSaturated(spec: RolloutSpec, current: ReplicaSet | undefined): boolean {
  return (
    current !== undefined &&
    wantedOf(current) === spec.replicas &&
    desiredReplicasOf(current) === spec.replicas &&
    (current.status?.availableReplicas ?? 0) === spec.replicas
  );
}

function inProportion(
  deployment: Deployment,
  spec: RolloutSpec,
  active: readonly ReplicaSet[],
): Resize[] {
  const allowed = spec.replicas > 0 ? spec.replicas + spec.maxSurge : 0;
  const toAdd = allowed - sumWanted(active);
  // The larger first; among equals the newer grows first and the older shrinks first.
  const sorted = active.toSorted(
    (a, b) => wantedOf(b) - wantedOf(a) || (toAdd > 0 ? byAge(b, a) : byAge(a, b)),
  );
  let added = 0;
  const sizes = sorted.map((replicaSet) => {
    const share = shareOf(replicaSet, deployment, spec);
    const left = toAdd - added;
    const change = toAdd > 0 ? Math.min(Math.max(share, 0), left) : Math.max(share, left);
    added += toAdd === 0 ? 0 : change;
    return { replicaSet, replicas: wantedOf(replicaSet) + (toAdd === 0 ? 0 : change) };
  });
  // What rounding has left over goes to the largest.
  const largest = sizes[0];
  if (largest !== undefined) largest.replicas = Math.max(0, largest.replicas + toAdd - added);
  return sizes;
}

/** How much a ReplicaSet changes when it keeps its part of the whole. */
function shareOf(replicaSet: ReplicaSet, deployment: Deployment, spec: RolloutSpec): number {
  const size = wantedOf(replicaSet);
  if (spec.replicas === 0) return -size;
  const before = maxReplicasOf(replicaSet) ?? deployment.status?.replicas ?? 0;
  if (before === 0) return 0;
  return Math.round((size * (spec.replicas + spec.maxSurge)) / before) - size;
}
