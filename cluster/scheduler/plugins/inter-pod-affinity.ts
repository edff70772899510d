import type { Pod, PodAffinityTerm } from "#cluster/api/generated/core-v1.ts";
import { matchesLabelSelector } from "#cluster/api/selector.ts";
import type { Plugin, PodView } from "#cluster/scheduler/plugin.ts";
import type { NodeInfo } from "#cluster/scheduler/snapshot.ts";

/** Required and preferred affinity and anti-affinity between pods, and others' anti-affinity. */
export const interPodAffinity: Plugin = {
  name: "InterPodAffinity",
  weight: 2,
  filter(view, info) {
    const { podAffinity, podAntiAffinity } = view.pod.spec?.affinity ?? {};
    const wanted = podAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? [];
    if (!wanted.every((term) => isNear(view, info, term) || startsItself(view, term))) {
      return ["node(s) didn't match pod affinity rules"];
    }
    const unwanted = podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? [];
    if (unwanted.some((term) => isNear(view, info, term))) {
      return ["node(s) didn't match pod anti-affinity rules"];
    }
    return isUnwantedByOthers(view, info)
      ? ["node(s) didn't satisfy existing pods anti-affinity rules"]
      : [];
  },
  score(view, info) {
    const { podAffinity, podAntiAffinity } = view.pod.spec?.affinity ?? {};
    const near = podAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? [];
    const far = podAntiAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? [];
    const total = [...near, ...far].reduce((sum, { weight }) => sum + weight, 0);
    if (total === 0) return 0;
    const points =
      near
        .filter(({ podAffinityTerm }) => isNear(view, info, podAffinityTerm))
        .reduce((sum, { weight }) => sum + weight, 0) +
      far
        .filter(({ podAffinityTerm }) => !isNear(view, info, podAffinityTerm))
        .reduce((sum, { weight }) => sum + weight, 0);
    return (100 * points) / total;
  },
};

/** Whether a pod that the term selects runs in the node's domain. */
function isNear({ pod, snapshot }: PodView, info: NodeInfo, term: PodAffinityTerm): boolean {
  const domain = info.node.metadata.labels?.[term.topologyKey];
  if (domain === undefined) return false;
  return snapshot.nodes.some(
    ({ node, pods }) =>
      node.metadata.labels?.[term.topologyKey] === domain &&
      pods.some((other) => selects(term, pod, other)),
  );
}

/** The first pod of a group that wants to be near its own kind has nobody to be near to. */
function startsItself({ pod, snapshot }: PodView, term: PodAffinityTerm): boolean {
  if (!selects(term, pod, pod)) return false;
  return !snapshot.nodes.some(({ pods }) => pods.some((other) => selects(term, pod, other)));
}

function isUnwantedByOthers({ pod, snapshot }: PodView, info: NodeInfo): boolean {
  return snapshot.nodes.some(({ node, pods }) =>
    pods.some((other) => {
      const terms =
        other.spec?.affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? [];
      return terms.some((term) => {
        const domain = node.metadata.labels?.[term.topologyKey];
        return (
          domain !== undefined &&
          domain === info.node.metadata.labels?.[term.topologyKey] &&
          selects(term, other, pod)
        );
      });
    }),
  );
}

/** `owner` has the term; without namespaces it means its own. An empty namespaceSelector is all. */
function selects(term: PodAffinityTerm, owner: Pod, other: Pod): boolean {
  const { namespaces = [], namespaceSelector, labelSelector } = term;
  const { namespace } = other.metadata;
  const isEverywhere =
    namespaceSelector !== undefined &&
    Object.keys(namespaceSelector.matchLabels ?? {}).length === 0 &&
    (namespaceSelector.matchExpressions ?? []).length === 0;
  const isOwn = namespaces.length === 0 && namespace === owner.metadata.namespace;
  const isInNamespace = isEverywhere || isOwn || namespaces.includes(namespace ?? "");
  return isInNamespace && labelSelector !== undefined
    ? matchesLabelSelector(labelSelector, other.metadata.labels)
    : false;
}
