/** Conditions and taints of nodes whose kubelet is silent or unwell. */

import type { Node, NodeCondition, Taint } from "#cluster/api/generated/core-v1.ts";

/** Kubernetes' `--node-monitor-grace-period`. */
export const GRACE_MS = 40_000;

/** The conditions that a kubelet keeps; all of them become Unknown when it is silent. */
const KUBELET_CONDITIONS = ["Ready", "MemoryPressure", "DiskPressure", "PIDPressure"];

export const NOT_READY = "node.kubernetes.io/not-ready";
export const UNREACHABLE = "node.kubernetes.io/unreachable";

/** Condition → taint while it is True. */
const PRESSURE_TAINTS: Readonly<Record<string, string>> = {
  MemoryPressure: "node.kubernetes.io/memory-pressure",
  DiskPressure: "node.kubernetes.io/disk-pressure",
  PIDPressure: "node.kubernetes.io/pid-pressure",
  NetworkUnavailable: "node.kubernetes.io/network-unavailable",
};
const UNSCHEDULABLE = "node.kubernetes.io/unschedulable";

const OUR_KEYS = new Set([
  NOT_READY,
  UNREACHABLE,
  UNSCHEDULABLE,
  ...Object.values(PRESSURE_TAINTS),
]);

/** Conditions of a node that has been silent for the grace period; the given ones if all are Unknown. */
export function silentConditions(node: Node, now: string): NodeCondition[] {
  const conditions = node.status?.conditions ?? [];
  const others = conditions.filter(({ type }) => !KUBELET_CONDITIONS.includes(type));
  const unknown = KUBELET_CONDITIONS.map((type): NodeCondition => {
    const old = conditions.find((condition) => condition.type === type);
    if (old?.status === "Unknown") return old;
    const wasThere = old !== undefined;
    return {
      type,
      status: "Unknown",
      reason: wasThere ? "NodeStatusUnknown" : "NodeStatusNeverUpdated",
      message: wasThere
        ? "Kubelet stopped posting node status."
        : "Kubelet never posted node status.",
      lastHeartbeatTime: old?.lastHeartbeatTime ?? node.metadata.creationTimestamp ?? now,
      lastTransitionTime: now,
    };
  });
  return [...unknown, ...others];
}

/** The node's taints with ours as its conditions ask for; those of others stay. */
export function wantedTaints(node: Node, now: string): Taint[] {
  const present = node.spec?.taints ?? [];
  const kept = present.filter(({ key }) => !OUR_KEYS.has(key));
  const ours = ourTaints(node).map((taint): Taint => {
    const old = present.find(({ key, effect }) => key === taint.key && effect === taint.effect);
    if (old !== undefined) return old;
    return taint.effect === "NoExecute" ? { ...taint, timeAdded: now } : taint;
  });
  return [...kept, ...ours];
}

/** Whether pods on the node can still be told to be ready. */
export function isNodeReady(node: Node): boolean {
  return statusOf(node, "Ready") === "True";
}

function ourTaints(node: Node): Taint[] {
  const ready = statusOf(node, "Ready");
  const key = ready === "False" ? NOT_READY : UNREACHABLE;
  // A node that has never reported gets no pods anyway: the scheduler asks for Ready.
  const health: Taint[] =
    ready === "True" || ready === undefined
      ? []
      : [
          { key, effect: "NoSchedule" },
          { key, effect: "NoExecute" },
        ];
  const pressure = Object.entries(PRESSURE_TAINTS)
    .filter(([type]) => statusOf(node, type) === "True")
    .map(([, taint]): Taint => ({ key: taint, effect: "NoSchedule" }));
  const cordoned: Taint[] =
    node.spec?.unschedulable === true ? [{ key: UNSCHEDULABLE, effect: "NoSchedule" }] : [];
  return [...health, ...pressure, ...cordoned];
}

function statusOf(node: Node, type: string): string | undefined {
  return node.status?.conditions?.find((condition) => condition.type === type)?.status;
}
