import { podRequests } from "#cluster/api/pod-resources.ts";
import type { Plugin, PodView } from "#cluster/scheduler/plugin.ts";
import type { NodeInfo } from "#cluster/scheduler/snapshot.ts";

/** Scored resources, as kube-scheduler's defaults. */
const SCORED = ["cpu", "memory"];
/** A pod that asks for nothing is scored as if it asked for this (Kubernetes' defaults). */
const NON_ZERO: Readonly<Record<string, number>> = { cpu: 100, memory: 200 * 1024 * 1024 };

/** Requests of all pods must fit into what the node can give, and so must their number. */
export const resourcesFit: Plugin = {
  name: "NodeResourcesFit",
  filter({ pod }, { allocatable, requested, pods }) {
    const reasons: string[] = [];
    const room = allocatable.get("pods");
    if (room !== undefined && pods.length + 1 > room) reasons.push("Too many pods");
    for (const [name, amount] of podRequests(pod)) {
      if (amount === 0) continue;
      const free = (allocatable.get(name) ?? 0) - (requested.get(name) ?? 0);
      if (amount > free) reasons.push(`Insufficient ${name}`);
    }
    return reasons;
  },
  /** The emptier, the better (LeastAllocated). */
  score(view, info) {
    const free = fractions(view, info).map((used) => (used > 1 ? 0 : 1 - used));
    return (100 * free.reduce((sum, part) => sum + part, 0)) / SCORED.length;
  },
};

/** Prefers nodes where cpu and memory fill up alike. */
export const balancedAllocation: Plugin = {
  name: "NodeResourcesBalancedAllocation",
  score(view, info) {
    const [cpu = 0, memory = 0] = fractions(view, info).map((used) => Math.min(1, used));
    return 100 * (1 - Math.abs(cpu - memory) / 2);
  },
};

/** Used part of each scored resource with the pod on the node. */
function fractions({ pod }: PodView, { allocatable, requested, pods }: NodeInfo): number[] {
  const requests = podRequests(pod);
  return SCORED.map((name) => {
    const total = allocatable.get(name) ?? 0;
    if (total === 0) return 1;
    const floor = NON_ZERO[name] ?? 0;
    // Pods that ask for nothing still count, or all of them would end on one node.
    const used = Math.max(requested.get(name) ?? 0, floor * pods.length);
    return (used + Math.max(requests.get(name) ?? 0, floor)) / total;
  });
}
