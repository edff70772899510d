/** When NoExecute taints drive a pod off its node (Kubernetes' taint manager). */

import type { Pod, Taint } from "#cluster/api/generated/core-v1.ts";
import { tolerates } from "#cluster/api/toleration.ts";

/** `at`: delete at this time (milliseconds); `never`: all taints are tolerated for good. */
export type Eviction = { kind: "never" } | { kind: "at"; ms: number };

/** The earliest end of any taint's toleration; a taint without a time counts from now. */
export function evictionOf(pod: Pod, taints: readonly Taint[], nowMs: number): Eviction {
  let earliestMs = Number.POSITIVE_INFINITY;
  for (const taint of taints.filter(({ effect }) => effect === "NoExecute")) {
    const tolerations = (pod.spec?.tolerations ?? []).filter((toleration) =>
      tolerates(toleration, taint),
    );
    if (tolerations.length === 0) return { kind: "at", ms: nowMs };
    const seconds = tolerations
      .map(({ tolerationSeconds }) => tolerationSeconds)
      .filter((value) => value !== undefined);
    if (seconds.length === 0) continue;
    const addedMs = Date.parse(taint.timeAdded ?? "");
    const sinceMs = Number.isNaN(addedMs) ? nowMs : addedMs;
    earliestMs = Math.min(earliestMs, sinceMs + Math.max(0, Math.min(...seconds)) * 1_000);
  }
  return Number.isFinite(earliestMs) ? { kind: "at", ms: earliestMs } : { kind: "never" };
}
