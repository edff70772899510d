import { tolerates } from "#cluster/api/toleration.ts";
import type { Plugin } from "#cluster/scheduler/plugin.ts";

/** Taints keep pods off (NoSchedule, NoExecute) or make a node less wanted (PreferNoSchedule). */
export const taintToleration: Plugin = {
  name: "TaintToleration",
  weight: 3,
  filter({ pod }, { node }) {
    const tolerations = pod.spec?.tolerations ?? [];
    const untolerated = (node.spec?.taints ?? []).find(
      (taint) =>
        (taint.effect === "NoSchedule" || taint.effect === "NoExecute") &&
        !tolerations.some((toleration) => tolerates(toleration, taint)),
    );
    if (untolerated === undefined) return [];
    return [`node(s) had untolerated taint {${untolerated.key}: ${untolerated.value ?? ""}}`];
  },
  score({ pod }, { node }) {
    const tolerations = pod.spec?.tolerations ?? [];
    const disliked = (node.spec?.taints ?? []).filter(
      (taint) =>
        taint.effect === "PreferNoSchedule" &&
        !tolerations.some((toleration) => tolerates(toleration, taint)),
    );
    return 100 / (1 + disliked.length);
  },
};
