/** A Deployment's wishes with Kubernetes' defaults and with percentages resolved. */

import type { Deployment } from "#cluster/api/generated/apps-v1.ts";

export interface RolloutSpec {
  replicas: number;
  strategy: "RollingUpdate" | "Recreate";
  /** Pods; 0 for Recreate. */
  maxSurge: number;
  /** Pods; 0 for Recreate. */
  maxUnavailable: number;
  minReadySeconds: number;
  paused: boolean;
  /** Undefined: no deadline. */
  progressDeadlineSeconds: number | undefined;
  /** Undefined: old ReplicaSets are kept. */
  revisionHistoryLimit: number | undefined;
}

const NO_LIMIT = 2 ** 31 - 1;

/** Reads what an API server has defaulted, and defaults what it hasn't. */
export function rolloutSpecOf(deployment: Deployment): RolloutSpec {
  const { spec } = deployment;
  const replicas = spec?.replicas ?? 1;
  const strategy = spec?.strategy?.type === "Recreate" ? "Recreate" : "RollingUpdate";
  const rolling = spec?.strategy?.rollingUpdate;
  const limits =
    strategy === "Recreate"
      ? { maxSurge: 0, maxUnavailable: 0 }
      : resolveLimits(replicas, rolling?.maxSurge ?? "25%", rolling?.maxUnavailable ?? "25%");
  return {
    replicas,
    strategy,
    ...limits,
    minReadySeconds: spec?.minReadySeconds ?? 0,
    paused: spec?.paused === true,
    progressDeadlineSeconds: limited(spec?.progressDeadlineSeconds ?? 600),
    revisionHistoryLimit: limited(spec?.revisionHistoryLimit ?? 10),
  };
}

/** Surge rounds up, unavailable down; both zero would never move, so then one may be missing. */
function resolveLimits(
  replicas: number,
  surge: number | string,
  unavailable: number | string,
): { maxSurge: number; maxUnavailable: number } {
  const maxSurge = resolve(surge, replicas, Math.ceil);
  const maxUnavailable = Math.min(resolve(unavailable, replicas, Math.floor), replicas);
  return maxSurge === 0 && maxUnavailable === 0
    ? { maxSurge, maxUnavailable: 1 }
    : { maxSurge, maxUnavailable };
}

function resolve(value: number | string, total: number, round: (value: number) => number): number {
  if (typeof value === "number") return value;
  const percent = /^(?<percent>[0-9]{1,6})%$/.exec(value)?.groups?.percent;
  return percent === undefined ? 0 : round((Number(percent) * total) / 100);
}

function limited(value: number): number | undefined {
  return value >= NO_LIMIT ? undefined : value;
}
