/** Conditions of a namespace that is being deleted, with Kubernetes' types, reasons and texts. */

import type { NamespaceCondition } from "#cluster/api/generated/core-v1.ts";
import type { Remains } from "./namespace-content.ts";

interface Content {
  type: string;
  isProblem: boolean;
  reason: string;
  message: string;
}

/** A condition that stays the same keeps its time. */
export function buildConditions(
  remains: Remains,
  old: readonly NamespaceCondition[],
  now: string,
): NamespaceCondition[] {
  return contents(remains).map(({ type, isProblem, reason, message }) => {
    const status = isProblem ? "True" : "False";
    const before = old.find((condition) => condition.type === type);
    const lastTransitionTime = before?.status === status ? (before.lastTransitionTime ?? now) : now;
    return { type, status, lastTransitionTime, reason, message };
  });
}

function contents(remains: Remains): Content[] {
  const { counts, finalizers, discoveryProblems, deletionProblems } = remains;
  return [
    pick("NamespaceDeletionDiscoveryFailure", discoveryProblems.length > 0, {
      good: ["ResourcesDiscovered", "All resources successfully discovered"],
      bad: [
        "DiscoveryFailed",
        `Discovery failed for some groups, ${discoveryProblems.length} failing: ${discoveryProblems.join("; ")}`,
      ],
    }),
    pick("NamespaceDeletionGroupVersionParsingFailure", false, {
      good: ["ParsedGroupVersions", "All legacy kube types successfully parsed"],
      bad: ["GroupVersionParsingFailed", ""],
    }),
    pick("NamespaceDeletionContentFailure", deletionProblems.length > 0, {
      good: ["ContentDeleted", "All content successfully deleted, may be waiting on finalization"],
      bad: [
        "ContentDeletionFailed",
        `Failed to delete all resource types, ${deletionProblems.length} remaining: ${deletionProblems.join("; ")}`,
      ],
    }),
    pick("NamespaceContentRemaining", counts.size > 0, {
      good: ["ContentRemoved", "All content successfully removed"],
      bad: [
        "SomeResourcesRemain",
        `Some resources are remaining: ${format(counts, (name, n) => `${name} has ${n} resource instances`)}`,
      ],
    }),
    pick("NamespaceFinalizersRemaining", finalizers.size > 0, {
      good: ["ContentHasNoFinalizers", "All content-preserving finalizers finished"],
      bad: [
        "SomeFinalizersRemain",
        `Some content in the namespace has finalizers remaining: ${format(finalizers, (name, n) => `${name} in ${n} resource instances`)}`,
      ],
    }),
  ];
}

function pick(
  type: string,
  isProblem: boolean,
  texts: { good: [string, string]; bad: [string, string] },
): Content {
  const [reason, message] = isProblem ? texts.bad : texts.good;
  return { type, isProblem, reason, message };
}

function format(
  entries: ReadonlyMap<string, number>,
  text: (name: string, count: number) => string,
): string {
  return [...entries]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, count]) => text(name, count))
    .join(", ");
}
