/** Conditions of a Deployment, with Kubernetes' reasons and texts. */

import type { DeploymentCondition } from "#cluster/api/generated/apps-v1.ts";

/** Reasons of the Progressing condition. */
export const REASONS = {
  found: "FoundNewReplicaSet",
  created: "NewReplicaSetCreated",
  failedCreate: "ReplicaSetCreateError",
  updated: "ReplicaSetUpdated",
  available: "NewReplicaSetAvailable",
  timedOut: "ProgressDeadlineExceeded",
  paused: "DeploymentPaused",
  resumed: "DeploymentResumed",
} as const;

/** A condition without its times. */
export interface ConditionContent {
  type: "Available" | "Progressing" | "ReplicaFailure";
  status: "True" | "False" | "Unknown";
  reason: string;
  message: string;
}

export function findCondition(
  conditions: readonly DeploymentCondition[],
  type: ConditionContent["type"],
): DeploymentCondition | undefined {
  return conditions.find((condition) => condition.type === type);
}

export function withoutCondition(
  conditions: readonly DeploymentCondition[],
  type: ConditionContent["type"],
): DeploymentCondition[] {
  return conditions.filter((condition) => condition.type !== type);
}

/**
 * A condition whose status and reason stay the same keeps its times and its message, unless
 * `isRenewed`: then it happened again now.
 */
export function withCondition(
  conditions: readonly DeploymentCondition[],
  content: ConditionContent,
  at: { now: string; isRenewed?: boolean },
): DeploymentCondition[] {
  const old = findCondition(conditions, content.type);
  const isSame = old?.status === content.status && old.reason === content.reason;
  if (isSame && at.isRenewed !== true) return [...conditions];
  const lastTransitionTime =
    old?.status === content.status ? (old.lastTransitionTime ?? at.now) : at.now;
  const condition = { ...content, lastUpdateTime: at.now, lastTransitionTime };
  return [...withoutCondition(conditions, content.type), condition];
}
