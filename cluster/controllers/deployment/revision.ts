/** Revisions of a Deployment, kept as annotations: what `kubectl rollout history` shows. */

import type { Deployment, ReplicaSet } from "#cluster/api/generated/apps-v1.ts";
import type { RolloutSpec } from "./rollout-spec.ts";

export const REVISION = "deployment.kubernetes.io/revision";
const REVISION_HISTORY = "deployment.kubernetes.io/revision-history";
const DESIRED_REPLICAS = "deployment.kubernetes.io/desired-replicas";
const MAX_REPLICAS = "deployment.kubernetes.io/max-replicas";
const MAX_HISTORY_LENGTH = 2_000;

/** Annotations of a Deployment that its ReplicaSets don't inherit. */
const NOT_COPIED = new Set([
  "kubectl.kubernetes.io/last-applied-configuration",
  "deprecated.deployment.rollback.to",
  REVISION,
  REVISION_HISTORY,
  DESIRED_REPLICAS,
  MAX_REPLICAS,
]);

type Annotations = Record<string, string>;

/** 0 when there is none. */
export function revisionOf(object: { metadata: { annotations?: Annotations } }): number {
  return numberAt(object.metadata.annotations, REVISION) ?? 0;
}

/** One more than that of any old ReplicaSet. */
export function nextRevision(old: readonly ReplicaSet[]): number {
  return Math.max(0, ...old.map(revisionOf)) + 1;
}

/**
 * Annotations of the current ReplicaSet: the Deployment's, and its revision, which only grows; the
 * one that it had before goes to its history (a rollback).
 */
export function annotateCurrent(
  deployment: Deployment,
  current: ReplicaSet | undefined,
  revision: number,
): Annotations {
  const before = current?.metadata.annotations ?? {};
  const inherited = Object.entries(deployment.metadata.annotations ?? {}).filter(
    ([key]) => !NOT_COPIED.has(key),
  );
  const annotations = { ...before, ...Object.fromEntries(inherited) };
  const old = numberAt(before, REVISION);
  if (old !== undefined && old >= revision) return annotations;
  annotations[REVISION] = String(revision);
  if (old !== undefined) {
    const history = [before[REVISION_HISTORY], String(old)].filter(Boolean).join(",");
    annotations[REVISION_HISTORY] = history.slice(-MAX_HISTORY_LENGTH);
  }
  return annotations;
}

/** What a later scaling needs to know to keep proportions. */
export function sizeAnnotations(spec: RolloutSpec): Annotations {
  return {
    [DESIRED_REPLICAS]: String(spec.replicas),
    [MAX_REPLICAS]: String(spec.replicas + spec.maxSurge),
  };
}

/** The Deployment's `replicas` when the ReplicaSet was last sized. */
export function desiredReplicasOf(replicaSet: ReplicaSet): number | undefined {
  return numberAt(replicaSet.metadata.annotations, DESIRED_REPLICAS);
}

/** `replicas` plus surge when the ReplicaSet was last sized. */
export function maxReplicasOf(replicaSet: ReplicaSet): number | undefined {
  return numberAt(replicaSet.metadata.annotations, MAX_REPLICAS);
}

function numberAt(annotations: Annotations | undefined, key: string): number | undefined {
  const text = annotations?.[key] ?? "";
  return /^[0-9]{1,15}$/.test(text) ? Number(text) : undefined;
}
