/** A Deployment's ReplicaSets, told apart and counted. */

import type { Deployment, ReplicaSet } from "#cluster/api/generated/apps-v1.ts";
import { isSameTemplate } from "./template-hash.ts";

/** `current` has the Deployment's present template; `old` is sorted, oldest first. */
export interface ReplicaSets {
  current: ReplicaSet | undefined;
  old: readonly ReplicaSet[];
}

/** Of several with the present template the oldest is the current one (as Kubernetes decides). */
export function sortReplicaSets(deployment: Deployment, all: readonly ReplicaSet[]): ReplicaSets {
  const sorted = all.toSorted(byAge);
  const current = sorted.find(({ spec }) =>
    isSameTemplate(spec?.template, deployment.spec?.template),
  );
  return { current, old: sorted.filter((replicaSet) => replicaSet !== current) };
}

export function allOf({ current, old }: ReplicaSets): ReplicaSet[] {
  return current === undefined ? [...old] : [...old, current];
}

/** Pods wanted by a ReplicaSet. */
export function wantedOf(replicaSet: ReplicaSet | undefined): number {
  return replicaSet === undefined ? 0 : (replicaSet.spec?.replicas ?? 1);
}

export function sumWanted(replicaSets: readonly ReplicaSet[]): number {
  return sum(replicaSets, wantedOf);
}

/**
 * Available pods that will stay: a status that hasn't caught up with a smaller size still counts
 * pods that are about to be deleted.
 */
export function availableOf(replicaSet: ReplicaSet | undefined): number {
  return Math.min(replicaSet?.status?.availableReplicas ?? 0, wantedOf(replicaSet));
}

/** Pods that there are or will be: those of a size just reduced are there until they are deleted. */
export function presentOf(replicaSet: ReplicaSet): number {
  return Math.max(replicaSet.status?.replicas ?? 0, wantedOf(replicaSet));
}

export function sum<T>(items: readonly T[], countOf: (item: T) => number): number {
  return items.reduce((total, item) => total + countOf(item), 0);
}

/** Oldest first, then by name. */
export function byAge(a: ReplicaSet, b: ReplicaSet): number {
  const left = a.metadata.creationTimestamp ?? "";
  const right = b.metadata.creationTimestamp ?? "";
  if (left !== right) return left < right ? -1 : 1;
  return a.metadata.name < b.metadata.name ? -1 : 1;
}
