/**
 * The JSONPath of printer columns, selectable fields and the scale subresource: `.spec.replicas`,
 * `.a['b.c']`, `.list[0].x`, `.list[-1:]`, `.list[*].x`, `..x` and filters such as
 * `.status.conditions[?(@.type=="Ready")].status`. Parsed once, evaluated without `eval`.
 */

import { equalJson, getOwn, isObject } from "#cluster/apiserver/schema/json.ts";
import { parseSteps, type Comparison, type Step } from "./json-path-parse.ts";

export type JsonPathResult =
  { ok: true; evaluate: (value: unknown) => unknown[] } | { ok: false; message: string };

const MAX_RESULTS = 10_000;
const MAX_DEPTH = 100;

/** Compiles a path; `evaluate` gives all that it finds, in document order. */
export function compileJsonPath(path: string): JsonPathResult {
  const parsed = parseSteps(path);
  if (!parsed.ok) return parsed;
  const { steps } = parsed;
  return { ok: true, evaluate: (value) => run(steps, [value]) };
}

function run(steps: readonly Step[], start: unknown[]): unknown[] {
  let values = start;
  for (const step of steps) {
    values = values.flatMap((value) => apply(step, value)).slice(0, MAX_RESULTS);
  }
  return values;
}

function apply(step: Step, value: unknown): unknown[] {
  switch (step.kind) {
    case "member": {
      if (!isObject(value)) return [];
      const member = getOwn(value, step.name);
      return member === undefined ? [] : [member];
    }
    case "index": {
      const found = Array.isArray(value) ? value.at(step.index) : undefined;
      return found === undefined ? [] : [found];
    }
    case "slice":
      return Array.isArray(value) ? value.slice(step.start, step.end) : [];
    case "wildcard":
      return typeof value === "object" && value !== null ? Object.values(value) : [];
    case "descend":
      return descend(step.name, value, 0);
    case "filter":
      if (!Array.isArray(value)) return [];
      return value.filter((item: unknown) => holds(step.comparison, item));
  }
}

function descend(name: string, value: unknown, depth: number): unknown[] {
  if (depth > MAX_DEPTH || typeof value !== "object" || value === null) return [];
  const own = isObject(value) ? apply({ kind: "member", name }, value) : [];
  return [...own, ...Object.values(value).flatMap((member) => descend(name, member, depth + 1))];
}

function holds({ left, operator, right }: Comparison, item: unknown): boolean {
  const found = run(left, [item]);
  if (operator === "exists") return found.length > 0;
  const value = found[0];
  if (value === undefined) return false;
  if (operator === "==") return equalJson(value, right);
  if (operator === "!=") return !equalJson(value, right);
  if (typeof value !== typeof right) return false;
  const [a, b] = [value, right] as [string | number, string | number];
  if (operator === "<") return a < b;
  if (operator === "<=") return a <= b;
  return operator === ">" ? a > b : a >= b;
}
