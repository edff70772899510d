/** Label selectors: the object form (meta/v1 LabelSelector) and the query-string form of kubectl. */

import type { LabelSelector } from "./meta.ts";

export type Requirement =
  | { key: string; operator: "In" | "NotIn"; values: readonly string[] }
  | { key: string; operator: "Exists" | "DoesNotExist" };

export type SelectorResult =
  { ok: true; requirements: Requirement[] } | { ok: false; message: string };

/** Whether labels satisfy every requirement; no requirement selects everything. */
export function matchesRequirements(
  requirements: readonly Requirement[],
  labels: Readonly<Record<string, string>> | undefined,
): boolean {
  return requirements.every((requirement) => {
    const present = labels !== undefined && Object.hasOwn(labels, requirement.key);
    const value = present ? labels[requirement.key] : undefined;
    switch (requirement.operator) {
      case "In":
        return value !== undefined && requirement.values.includes(value);
      case "NotIn":
        return value === undefined || !requirement.values.includes(value);
      case "Exists":
        return present;
      case "DoesNotExist":
        return !present;
    }
  });
}

/** Whether labels contain all of an equality-only selector (Service, ReplicationController). */
export function matchesLabels(
  selector: Readonly<Record<string, string>>,
  labels: Readonly<Record<string, string>> | undefined,
): boolean {
  return Object.entries(selector).every(
    ([key, value]) => labels !== undefined && Object.hasOwn(labels, key) && labels[key] === value,
  );
}

/** The requirements of an object-form selector; an unknown operator is an error. */
export function fromLabelSelector(selector: LabelSelector | undefined): SelectorResult {
  const requirements: Requirement[] = Object.entries(selector?.matchLabels ?? {}).map(
    ([key, value]) => ({ key, operator: "In", values: [value] }),
  );
  for (const { key, operator, values } of selector?.matchExpressions ?? []) {
    if (operator === "In" || operator === "NotIn") {
      if (values === undefined || values.length === 0) {
        return { ok: false, message: `${key}: ${operator} needs at least one value` };
      }
      requirements.push({ key, operator, values });
    } else if (operator === "Exists" || operator === "DoesNotExist") {
      requirements.push({ key, operator });
    } else {
      return { ok: false, message: `${key}: ${operator} is not a valid label selector operator` };
    }
  }
  return { ok: true, requirements };
}

/** Whether an object-form selector selects labels; a malformed one selects nothing. */
export function matchesLabelSelector(
  selector: LabelSelector | undefined,
  labels: Readonly<Record<string, string>> | undefined,
): boolean {
  const parsed = fromLabelSelector(selector);
  return parsed.ok && matchesRequirements(parsed.requirements, labels);
}

/** The query-string form of an object-form selector. */
export function formatLabelSelector(selector: LabelSelector): string {
  const parsed = fromLabelSelector(selector);
  if (!parsed.ok) throw new Error(`malformed label selector: ${parsed.message}`);
  return parsed.requirements.map(formatRequirement).join(",");
}

function formatRequirement(requirement: Requirement): string {
  switch (requirement.operator) {
    case "In":
      return requirement.values.length === 1
        ? `${requirement.key}=${requirement.values[0]}`
        : `${requirement.key} in (${requirement.values.join(",")})`;
    case "NotIn":
      return `${requirement.key} notin (${requirement.values.join(",")})`;
    case "Exists":
      return requirement.key;
    case "DoesNotExist":
      return `!${requirement.key}`;
  }
}

const TERM =
  /^\s*(?:(?<absent>!)\s*(?<absentKey>[^\s=!,()]+)|(?<setKey>[^\s=!,()]+)\s+(?<set>in|notin)\s*\((?<values>[^()]*)\)|(?<key>[^\s=!,()]+)\s*(?:(?<op>==|=|!=)\s*(?<value>[^\s=!,()]*))?)\s*(?:,|$)/;

/** Parses `a=b,c!=d,e in (f,g),h,!i` (kubectl's `-l`, the `labelSelector` parameter). */
export function parseSelector(text: string): SelectorResult {
  const requirements: Requirement[] = [];
  let rest = text;
  while (rest.trim() !== "") {
    const groups = TERM.exec(rest)?.groups;
    const length = TERM.exec(rest)?.[0].length ?? 0;
    if (groups === undefined) {
      return { ok: false, message: `unable to parse requirement: ${rest.trim()}` };
    }
    requirements.push(requirementOf(groups));
    rest = rest.slice(length);
  }
  return { ok: true, requirements };
}

function requirementOf(groups: Record<string, string | undefined>): Requirement {
  if (groups.absentKey !== undefined) return { key: groups.absentKey, operator: "DoesNotExist" };
  if (groups.setKey !== undefined) {
    const values = (groups.values ?? "").split(",").map((value) => value.trim());
    return { key: groups.setKey, operator: groups.set === "in" ? "In" : "NotIn", values };
  }
  const key = groups.key ?? "";
  if (groups.op === undefined) return { key, operator: "Exists" };
  return { key, operator: groups.op === "!=" ? "NotIn" : "In", values: [groups.value ?? ""] };
}
