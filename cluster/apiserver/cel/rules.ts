/** `x-kubernetes-validations` of a schema, checked against a value (Kubernetes' docs, "Validation rules"). */

import { equalJson, getOwn, isObject } from "#cluster/apiserver/schema/json.ts";
import { child } from "#cluster/apiserver/schema/problem.ts";
import type { FieldProblem, Schema, ValidationRule } from "#cluster/apiserver/schema/schema.ts";
import { MAX_TOTAL_COST, RULE_ENVIRONMENT } from "./expression.ts";
import { celValue } from "./value.ts";
import type { Measured } from "./value.ts";

const MAX_PROBLEMS = 100;

interface Walk {
  readonly problems: FieldProblem[];
  cost: number;
}

interface Place {
  readonly value: unknown;
  /** What was there before; undefined where nothing was, or nothing that could be told to be it. */
  readonly old: unknown;
  readonly path: string;
}

/**
 * Everything that rules refuse in a value that the schema itself accepts. `old` is what it replaces:
 * transition rules run then, and what hasn't changed isn't refused (ratcheting).
 */
export function ruleProblems(schema: Schema, value: unknown, old?: unknown): FieldProblem[] {
  if (!hasRules(schema)) return [];
  const walk: Walk = { problems: [], cost: 0 };
  visit(schema, { value, old, path: "" }, walk);
  if (walk.cost > MAX_TOTAL_COST) {
    const detail =
      "validation failed due to running out of cost budget, no further validation rules will be run";
    walk.problems.push(problemAt("", schema, { rule: "" }, detail));
  }
  return walk.problems;
}

const known = new WeakMap<Schema, boolean>();

/** Whether any rule is below a schema; remembered, since most have none. */
function hasRules(schema: Schema): boolean {
  const before = known.get(schema);
  if (before !== undefined) return before;
  const rest = schema.additionalProperties;
  const children = [
    ...Object.values(schema.properties ?? {}),
    ...(schema.items === undefined ? [] : [schema.items]),
    ...(isObject(rest) ? [rest as Schema] : []),
  ];
  const own = (schema["x-kubernetes-validations"] ?? []).length > 0;
  const found = own || children.some(hasRules);
  known.set(schema, found);
  return found;
}

function visit(schema: Schema, place: Place, walk: Walk): void {
  const { value, old } = place;
  if (value === undefined || value === null || !hasRules(schema)) return;
  const unchanged = old !== undefined && equalJson(value, old);
  const rules = schema["x-kubernetes-validations"] ?? [];
  if (rules.length > 0) runRules(schema, place, { walk, unchanged });
  if (unchanged || walk.cost > MAX_TOTAL_COST || walk.problems.length >= MAX_PROBLEMS) return;
  if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) {
      if (schema.items === undefined) break;
      const before = correlated(schema, item, old);
      visit(schema.items, { value: item, old: before, path: `${place.path}[${index}]` }, walk);
    }
    return;
  }
  if (!isObject(value)) return;
  const rest = isObject(schema.additionalProperties) ? schema.additionalProperties : undefined;
  for (const key of Object.keys(value)) {
    const inner = schema.properties === undefined ? rest : getOwn(schema.properties, key);
    if (inner === undefined) continue;
    const before = isObject(old) ? getOwn(old, key) : undefined;
    visit(inner, { value: value[key], old: before, path: child(place.path, key) }, walk);
  }
}

/** The item of the old list that an item continues: only keyed lists tell. */
function correlated(schema: Schema, item: unknown, old: unknown): unknown {
  const keys = schema["x-kubernetes-list-map-keys"];
  if (schema["x-kubernetes-list-type"] !== "map" || keys === undefined) return undefined;
  if (!Array.isArray(old) || !isObject(item)) return undefined;
  return old.find(
    (one) => isObject(one) && keys.every((key) => equalJson(getOwn(one, key), getOwn(item, key))),
  ) as unknown;
}

function runRules(
  schema: Schema,
  { value, old, path }: Place,
  { walk, unchanged }: { walk: Walk; unchanged: boolean },
): void {
  const self = celValue(value, schema);
  const oldSelf = old === undefined ? undefined : celValue(old, schema);
  for (const rule of schema["x-kubernetes-validations"] ?? []) {
    const compiled = RULE_ENVIRONMENT.compile(rule.rule);
    if (!compiled.ok) {
      walk.problems.push(problemAt(path, schema, rule, `rule compile error: ${compiled.message}`));
      continue;
    }
    const { expression } = compiled;
    const isTransition = expression.variables.has("oldSelf");
    if (isTransition ? oldSelf === undefined : unchanged) continue;
    const variables: Record<string, Measured> = { self };
    if (isTransition && oldSelf !== undefined) variables.oldSelf = oldSelf;
    const result = expression.evaluate(variables);
    walk.cost += result.cost;
    if (walk.cost > MAX_TOTAL_COST) return;
    if (!result.ok) {
      const told = rule.message ?? rule.rule;
      const detail = `${result.message} evaluating rule: ${told}`;
      walk.problems.push(problemAt(path, schema, rule, detail));
    } else if (result.value !== true) {
      const detail = messageOf(rule, variables);
      walk.problems.push(problemAt(place(path, rule), schema, rule, detail));
    }
  }
}

function messageOf(rule: ValidationRule, variables: Readonly<Record<string, Measured>>): string {
  const fallback = rule.message?.trim() ?? `failed rule: ${rule.rule.trim()}`;
  if (rule.messageExpression === undefined) return fallback;
  const compiled = RULE_ENVIRONMENT.compile(rule.messageExpression);
  const result = compiled.ok ? compiled.expression.evaluate(variables) : undefined;
  const text = result?.ok === true && typeof result.value === "string" ? result.value.trim() : "";
  return text === "" || text.includes("\n") ? fallback : text;
}

function place(path: string, { fieldPath = "" }: ValidationRule): string {
  return `${path}${fieldPath}`.replace(/^\./, "");
}

/** Kubernetes names the value's type, never the value: it may be large. */
function problemAt(
  field: string,
  schema: Schema,
  rule: ValidationRule,
  detail: string,
): FieldProblem {
  const reason = rule.reason ?? "FieldValueInvalid";
  const shown = JSON.stringify(schema.type ?? "");
  switch (reason) {
    case "FieldValueRequired":
      return { field, reason, message: `Required value: ${detail}` };
    case "FieldValueForbidden":
      return { field, reason, message: `Forbidden: ${detail}` };
    case "FieldValueDuplicate":
      return { field, reason, message: `Duplicate value: ${shown}` };
    case "FieldValueInvalid":
      return { field, reason, message: `Invalid value: ${shown}: ${detail}` };
  }
}
