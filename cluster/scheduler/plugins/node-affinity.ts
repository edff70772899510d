import type {
  Node,
  NodeSelectorRequirement,
  NodeSelectorTerm,
} from "#cluster/api/generated/core-v1.ts";
import { matchesLabels } from "#cluster/api/selector.ts";
import type { Plugin } from "#cluster/scheduler/plugin.ts";

const MISMATCH = "node(s) didn't match Pod's node affinity/selector";

/** `nodeSelector`, required and preferred node affinity. */
export const nodeAffinity: Plugin = {
  name: "NodeAffinity",
  weight: 2,
  filter({ pod }, { node }) {
    const { nodeSelector, affinity } = pod.spec ?? {};
    if (nodeSelector !== undefined && !matchesLabels(nodeSelector, node.metadata.labels)) {
      return [MISMATCH];
    }
    const required = affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
    if (required === undefined) return [];
    return required.nodeSelectorTerms.some((term) => matchesTerm(term, node)) ? [] : [MISMATCH];
  },
  score({ pod }, { node }) {
    const preferred =
      pod.spec?.affinity?.nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? [];
    const total = preferred.reduce((sum, { weight }) => sum + weight, 0);
    if (total === 0) return 0;
    const matched = preferred
      .filter(({ preference }) => matchesTerm(preference, node))
      .reduce((sum, { weight }) => sum + weight, 0);
    return (100 * matched) / total;
  },
};

/** `spec.nodeName` set by the writer of the pod. */
export const nodeName: Plugin = {
  name: "NodeName",
  filter({ pod }, { node }) {
    const wanted = pod.spec?.nodeName ?? "";
    const isFine = wanted === "" || wanted === node.metadata.name;
    return isFine ? [] : ["node(s) didn't match the requested node name"];
  },
};

/** All requirements of a term; a term without any matches nothing. */
function matchesTerm({ matchExpressions = [], matchFields = [] }: NodeSelectorTerm, node: Node) {
  if (matchExpressions.length + matchFields.length === 0) return false;
  const labels = new Map(Object.entries(node.metadata.labels ?? {}));
  const fields = new Map([["metadata.name", node.metadata.name]]);
  return (
    matchExpressions.every((requirement) => matches(requirement, labels)) &&
    matchFields.every((requirement) => matches(requirement, fields))
  );
}

function matches(
  { key, operator, values = [] }: NodeSelectorRequirement,
  present: ReadonlyMap<string, string>,
): boolean {
  const value = present.get(key);
  switch (operator) {
    case "In":
      return value !== undefined && values.includes(value);
    case "NotIn":
      return value === undefined || !values.includes(value);
    case "Exists":
      return value !== undefined;
    case "DoesNotExist":
      return value === undefined;
    case "Gt":
      return isInteger(value) && isInteger(values[0]) && Number(value) > Number(values[0]);
    case "Lt":
      return isInteger(value) && isInteger(values[0]) && Number(value) < Number(values[0]);
    default:
      return false;
  }
}

function isInteger(value: string | undefined): boolean {
  return value !== undefined && /^-?[0-9]{1,15}$/.test(value);
}
