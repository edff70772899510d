/** Which node a pod goes to; pure. */

import type { Pod } from "#cluster/api/generated/core-v1.ts";
import type { Plugin, PodView } from "./plugin.ts";
import { interPodAffinity } from "./plugins/inter-pod-affinity.ts";
import { nodeAffinity, nodeName } from "./plugins/node-affinity.ts";
import { nodeReady, nodeUnschedulable } from "./plugins/node-conditions.ts";
import { nodePorts } from "./plugins/node-ports.ts";
import { balancedAllocation, resourcesFit } from "./plugins/resources-fit.ts";
import { taintToleration } from "./plugins/taint-toleration.ts";
import { topologySpread } from "./plugins/topology-spread.ts";
import type { NodeInfo, Snapshot } from "./snapshot.ts";

/** In the order in which they are asked; the first that refuses a node names the reason. */
export const PLUGINS: readonly Plugin[] = [
  nodeUnschedulable,
  nodeName,
  taintToleration,
  nodeReady,
  nodeAffinity,
  nodePorts,
  resourcesFit,
  topologySpread,
  interPodAffinity,
  balancedAllocation,
];

export type Decision = { kind: "node"; name: string } | { kind: "none"; message: string };

/** The best of the nodes that fit; among equals the first by name. */
export function decide(pod: Pod, snapshot: Snapshot, plugins = PLUGINS): Decision {
  const view: PodView = { pod, snapshot };
  const reasons = new Map<string, number>();
  const fitting: NodeInfo[] = [];
  for (const info of snapshot.nodes) {
    const refusals = refusalsOf(view, info, plugins);
    if (refusals.length === 0) fitting.push(info);
    for (const reason of refusals) reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
  }
  let best: { info: NodeInfo; points: number } | undefined;
  for (const info of fitting) {
    const points = fitting.length === 1 ? 0 : pointsOf(view, info, plugins);
    if (best === undefined || points > best.points) best = { info, points };
  }
  if (best !== undefined) return { kind: "node", name: best.info.node.metadata.name };
  return { kind: "none", message: explain(snapshot.nodes.length, reasons) };
}

function refusalsOf(view: PodView, info: NodeInfo, plugins: readonly Plugin[]): readonly string[] {
  for (const plugin of plugins) {
    const reasons = plugin.filter?.(view, info) ?? [];
    if (reasons.length > 0) return reasons;
  }
  return [];
}

function pointsOf(view: PodView, info: NodeInfo, plugins: readonly Plugin[]): number {
  let points = 0;
  for (const { score, weight = 1 } of plugins) points += (score?.(view, info) ?? 0) * weight;
  return points;
}

/** Kubernetes' text: `0/3 nodes are available: 1 Insufficient cpu, 2 node(s) were unschedulable.` */
function explain(nodes: number, reasons: ReadonlyMap<string, number>): string {
  if (nodes === 0) return "no nodes available to schedule pods";
  const parts = [...reasons].map(([reason, count]) => `${count} ${reason}`).toSorted();
  return `0/${nodes} nodes are available: ${parts.join(", ")}.`;
}
