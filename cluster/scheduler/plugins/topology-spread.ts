import type { Pod, TopologySpreadConstraint } from "#cluster/api/generated/core-v1.ts";
import { controllerOf } from "#cluster/api/owner-reference.ts";
import { matchesLabelSelector } from "#cluster/api/selector.ts";
import { selectsPod } from "#cluster/api/service.ts";
import type { Plugin, PodView } from "#cluster/scheduler/plugin.ts";
import type { NodeInfo } from "#cluster/scheduler/snapshot.ts";

const HOSTNAME = "kubernetes.io/hostname";

/**
 * Spreads pods over domains: hard constraints (DoNotSchedule) are kept, soft ones and, where a pod
 * has none, the default (replicas and pods of the same Service over nodes) give points.
 */
export const topologySpread: Plugin = {
  name: "PodTopologySpread",
  weight: 2,
  filter({ pod, snapshot }, { node }) {
    for (const constraint of pod.spec?.topologySpreadConstraints ?? []) {
      if (constraint.whenUnsatisfiable !== "DoNotSchedule") continue;
      const domain = node.metadata.labels?.[constraint.topologyKey];
      if (domain === undefined) {
        return ["node(s) didn't match pod topology spread constraints (missing required label)"];
      }
      const counts = countDomains(snapshot.nodes, constraint, pod);
      const least = Math.min(...counts.values());
      const isOwn = matchesLabelSelector(constraint.labelSelector, pod.metadata.labels) ? 1 : 0;
      if ((counts.get(domain) ?? 0) + isOwn - least > constraint.maxSkew) {
        return ["node(s) didn't match pod topology spread constraints"];
      }
    }
    return [];
  },
  score(view, info) {
    const soft = (view.pod.spec?.topologySpreadConstraints ?? []).filter(
      ({ whenUnsatisfiable }) => whenUnsatisfiable === "ScheduleAnyway",
    );
    if (soft.length === 0) return scoreDefault(view, info);
    const points = soft.map((constraint) => {
      const domain = info.node.metadata.labels?.[constraint.topologyKey];
      if (domain === undefined) return 0;
      return fewer(countDomains(view.snapshot.nodes, constraint, view.pod), domain);
    });
    return points.reduce((sum, point) => sum + point, 0) / soft.length;
  },
};

function countDomains(
  nodes: readonly NodeInfo[],
  { topologyKey, labelSelector }: TopologySpreadConstraint,
  pod: Pod,
): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { node, pods } of nodes) {
    const domain = node.metadata.labels?.[topologyKey];
    if (domain === undefined) continue;
    const matching = pods.filter(
      ({ metadata }) =>
        metadata.namespace === pod.metadata.namespace &&
        metadata.deletionTimestamp === undefined &&
        matchesLabelSelector(labelSelector, metadata.labels),
    );
    counts.set(domain, (counts.get(domain) ?? 0) + matching.length);
  }
  return counts;
}

/** Siblings: pods of the same controller, or behind the same Services. */
function scoreDefault({ pod, snapshot }: PodView, { node }: NodeInfo): number {
  const controller = controllerOf(pod)?.uid;
  const services = snapshot
    .servicesOf(pod.metadata.namespace)
    .filter((service) => selectsPod(service, pod));
  if (controller === undefined && services.length === 0) return 0;
  const isSibling = (other: Pod): boolean =>
    other.metadata.deletionTimestamp === undefined &&
    ((controller !== undefined && controllerOf(other)?.uid === controller) ||
      services.some((service) => selectsPod(service, other)));
  const hostOf = ({ metadata }: NodeInfo["node"]): string =>
    metadata.labels?.[HOSTNAME] ?? metadata.name;
  const counts = new Map<string, number>();
  for (const info of snapshot.nodes) {
    const host = hostOf(info.node);
    counts.set(host, (counts.get(host) ?? 0) + info.pods.filter(isSibling).length);
  }
  return fewer(counts, hostOf(node));
}

/** 100 for the emptiest domain, 0 for the fullest. */
function fewer(counts: ReadonlyMap<string, number>, domain: string): number {
  const most = Math.max(...counts.values());
  const least = Math.min(...counts.values());
  if (most === least) return 100;
  return (100 * (most - (counts.get(domain) ?? 0))) / (most - least);
}
