import type { Plugin } from "#cluster/scheduler/plugin.ts";

/**
 * Nodes must be Ready. Kubernetes leaves this to taints, which follow a moment later; asking for
 * the condition itself keeps pods from nodes that have only just registered.
 */
export const nodeReady: Plugin = {
  name: "NodeReady",
  filter(_, { node }) {
    const ready = node.status?.conditions?.find(({ type }) => type === "Ready");
    return ready?.status === "True"
      ? []
      : ["node(s) had untolerated taint {node.kubernetes.io/not-ready: }"];
  },
};

/** Cordoned nodes take pods only that tolerate it. */
export const nodeUnschedulable: Plugin = {
  name: "NodeUnschedulable",
  filter({ pod }, { node }) {
    if (node.spec?.unschedulable !== true) return [];
    const key = "node.kubernetes.io/unschedulable";
    const isTolerated = (pod.spec?.tolerations ?? []).some(
      (toleration) =>
        (toleration.key === key || (toleration.key ?? "") === "") &&
        (toleration.operator === "Exists" || toleration.key === key) &&
        [undefined, "", "NoSchedule"].includes(toleration.effect),
    );
    return isTolerated ? [] : ["node(s) were unschedulable"];
  },
};
