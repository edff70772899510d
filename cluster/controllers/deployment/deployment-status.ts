/** What a Deployment's status says about its ReplicaSets. */

import type {
  Deployment,
  DeploymentCondition,
  DeploymentStatus,
  ReplicaSet,
} from "#cluster/api/generated/apps-v1.ts";
import { findCondition, REASONS, withCondition, withoutCondition } from "./conditions.ts";
import { allOf, sum, sumWanted } from "./replica-sets.ts";
import type { ReplicaSets } from "./replica-sets.ts";
import type { RolloutSpec } from "./rollout-spec.ts";

export interface StatusInput {
  deployment: Deployment;
  spec: RolloutSpec;
  sets: ReplicaSets;
  /** RFC 3339. */
  now: string;
}

/** Counts and the Available condition; the others are kept as they are. */
export function countStatus({ deployment, spec, sets, now }: StatusInput): DeploymentStatus {
  const all = allOf(sets);
  const available = sum(all, ({ status }) => status?.availableReplicas ?? 0);
  const isEnough = available >= spec.replicas - spec.maxUnavailable;
  const conditions = withCondition(
    deployment.status?.conditions ?? [],
    isEnough
      ? {
          type: "Available",
          status: "True",
          reason: "MinimumReplicasAvailable",
          message: "Deployment has minimum availability.",
        }
      : {
          type: "Available",
          status: "False",
          reason: "MinimumReplicasUnavailable",
          message: "Deployment does not have minimum availability.",
        },
    { now },
  );
  const { collisionCount } = deployment.status ?? {};
  return {
    observedGeneration: deployment.metadata.generation,
    replicas: sum(all, ({ status }) => status?.replicas ?? 0),
    updatedReplicas: sets.current?.status?.replicas ?? 0,
    readyReplicas: sum(all, ({ status }) => status?.readyReplicas ?? 0),
    availableReplicas: available,
    unavailableReplicas: Math.max(0, sumWanted(all) - available),
    terminatingReplicas: sum(all, ({ status }) => status?.terminatingReplicas ?? 0),
    ...(collisionCount === undefined ? {} : { collisionCount }),
    conditions,
  };
}

/** As `countStatus`, and with Progressing and ReplicaFailure during a rollout. */
export function rolloutStatus(input: StatusInput): DeploymentStatus {
  const status = countStatus(input);
  const conditions = progress(input, status);
  return { ...status, conditions: replicaFailure(input, conditions) };
}

/** All pods are of the present template, wanted and available. */
export function isComplete(
  deployment: Deployment,
  spec: RolloutSpec,
  status: DeploymentStatus,
): boolean {
  return (
    (status.updatedReplicas ?? 0) === spec.replicas &&
    (status.replicas ?? 0) === spec.replicas &&
    (status.availableReplicas ?? 0) === spec.replicas &&
    (status.observedGeneration ?? 0) >= (deployment.metadata.generation ?? 0)
  );
}

/** When the rollout will be late, in milliseconds; undefined when it can't be. */
export function deadlineMs(spec: RolloutSpec, status: DeploymentStatus): number | undefined {
  const condition = findCondition(status.conditions ?? [], "Progressing");
  if (spec.progressDeadlineSeconds === undefined || condition === undefined) return undefined;
  const { reason } = condition;
  if (reason === REASONS.available || reason === REASONS.timedOut) return undefined;
  const sinceMs = Date.parse(condition.lastUpdateTime ?? "");
  return Number.isNaN(sinceMs) ? undefined : sinceMs + spec.progressDeadlineSeconds * 1_000;
}

/** Whether two statuses say the same. */
export function isSameStatus(a: DeploymentStatus | undefined, b: DeploymentStatus): boolean {
  const key = (status: DeploymentStatus | undefined): string =>
    JSON.stringify([
      status?.observedGeneration,
      status?.replicas ?? 0,
      status?.updatedReplicas ?? 0,
      status?.readyReplicas ?? 0,
      status?.availableReplicas ?? 0,
      status?.unavailableReplicas ?? 0,
      status?.terminatingReplicas ?? 0,
      status?.collisionCount ?? 0,
      (status?.conditions ?? [])
        .map(({ type, status, reason, message, lastUpdateTime }) =>
          [type, status, reason, message, lastUpdateTime].join("\u0000"),
        )
        .toSorted(),
    ]);
  return key(a) === key(b);
}

function progress(input: StatusInput, status: DeploymentStatus): DeploymentCondition[] {
  const { deployment, spec, sets, now } = input;
  const conditions = status.conditions ?? [];
  if (spec.progressDeadlineSeconds === undefined)
    return withoutCondition(conditions, "Progressing");
  const old = findCondition(conditions, "Progressing");
  const isDone =
    (status.replicas ?? 0) === (status.updatedReplicas ?? 0) && old?.reason === REASONS.available;
  if (isDone) return conditions;
  const subject =
    sets.current === undefined
      ? `Deployment "${deployment.metadata.name}"`
      : `ReplicaSet "${sets.current.metadata.name}"`;
  const type = "Progressing";
  if (isComplete(deployment, spec, status)) {
    const message = `${subject} has successfully progressed.`;
    return withCondition(
      conditions,
      { type, status: "True", reason: REASONS.available, message },
      { now },
    );
  }
  if (hasProgressed(deployment.status ?? {}, status)) {
    const message = `${subject} is progressing.`;
    return withCondition(
      conditions,
      { type, status: "True", reason: REASONS.updated, message },
      { now, isRenewed: true },
    );
  }
  const lateMs = deadlineMs(spec, status);
  if (lateMs === undefined || Date.parse(now) < lateMs) return conditions;
  const message = `${subject} has timed out progressing.`;
  return withCondition(
    conditions,
    { type, status: "False", reason: REASONS.timedOut, message },
    { now },
  );
}

function hasProgressed(old: DeploymentStatus, now: DeploymentStatus): boolean {
  const outdated = (status: DeploymentStatus): number =>
    (status.replicas ?? 0) - (status.updatedReplicas ?? 0);
  return (
    (now.updatedReplicas ?? 0) > (old.updatedReplicas ?? 0) ||
    outdated(now) < outdated(old) ||
    (now.readyReplicas ?? 0) > (old.readyReplicas ?? 0) ||
    (now.availableReplicas ?? 0) > (old.availableReplicas ?? 0)
  );
}

/** The current ReplicaSet's failure, or that of an old one. */
function replicaFailure(
  { sets }: StatusInput,
  conditions: DeploymentCondition[],
): DeploymentCondition[] {
  const kept = withoutCondition(conditions, "ReplicaFailure");
  const candidates: (ReplicaSet | undefined)[] = [sets.current, ...sets.old];
  const failure = candidates
    .flatMap((replicaSet) => replicaSet?.status?.conditions ?? [])
    .find(({ type }) => type === "ReplicaFailure");
  if (failure === undefined) return kept;
  return [...kept, { ...failure, lastUpdateTime: failure.lastTransitionTime }];
}
