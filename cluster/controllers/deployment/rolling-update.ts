/** The next sizes of a rolling update: never below the available minimum, never above the surge. */

import type { ReplicaSet } from "#cluster/api/generated/apps-v1.ts";
import type { RolloutSpec } from "./rollout-spec.ts";
import { allOf, availableOf, presentOf, sum, sumWanted, wantedOf } from "./replica-sets.ts";
import type { ReplicaSets } from "./replica-sets.ts";

/** A ReplicaSet's new size. */
export interface Resize {
  replicaSet: ReplicaSet;
  replicas: number;
}

/**
 * One move: the current ReplicaSet up (or down to what is wanted), else the old ones down. Empty
 * when the present pods must first become available, or when nothing is left to do.
 */
export function nextRollingMove(spec: RolloutSpec, sets: ReplicaSets): Resize[] {
  if (sets.current !== undefined) {
    const replicas = currentSize(spec, sets);
    if (replicas !== wantedOf(sets.current)) return [{ replicaSet: sets.current, replicas }];
  }
  return shrinkOld(spec, sets);
}

/** How large the current (or a new) ReplicaSet may be now (Kubernetes' `NewRSNewReplicas`). */
export function currentSize(spec: RolloutSpec, sets: ReplicaSets): number {
  const present = wantedOf(sets.current);
  if (spec.strategy === "Recreate" || present > spec.replicas) return spec.replicas;
  const room = spec.replicas + spec.maxSurge - sum(allOf(sets), presentOf);
  if (room <= 0) return present;
  return present + Math.min(room, spec.replicas - present);
}

function shrinkOld(spec: RolloutSpec, sets: ReplicaSets): Resize[] {
  const old = sets.old.filter((replicaSet) => wantedOf(replicaSet) > 0);
  if (old.length === 0) return [];
  const minAvailable = spec.replicas - spec.maxUnavailable;
  const currentUnavailable = wantedOf(sets.current) - availableOf(sets.current);
  const removable = sumWanted(allOf(sets)) - minAvailable - currentUnavailable;
  if (removable <= 0) return [];
  const sizes = new Map(old.map((replicaSet) => [replicaSet, wantedOf(replicaSet)]));
  shrinkUnhealthy(sizes, removable);
  shrinkHealthy(sizes, sum(allOf(sets), availableOf) - minAvailable);
  return [...sizes]
    .filter(([replicaSet, replicas]) => replicas !== wantedOf(replicaSet))
    .map(([replicaSet, replicas]) => ({ replicaSet, replicas }));
}

/** Old pods that aren't available serve nobody: they go first, and cost no availability. */
function shrinkUnhealthy(sizes: Map<ReplicaSet, number>, atMost: number): void {
  let budget = atMost;
  for (const [replicaSet, replicas] of sizes) {
    const unhealthy = replicas - availableOf(replicaSet);
    const surplus = Math.max(0, Math.min(budget, unhealthy));
    sizes.set(replicaSet, replicas - surplus);
    budget -= surplus;
  }
}

function shrinkHealthy(sizes: Map<ReplicaSet, number>, atMost: number): void {
  let budget = atMost;
  for (const [replicaSet, replicas] of sizes) {
    if (budget <= 0) return;
    const surplus = Math.min(replicas, budget);
    sizes.set(replicaSet, replicas - surplus);
    budget -= surplus;
  }
}
