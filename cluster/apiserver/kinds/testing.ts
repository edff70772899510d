/** What the registry does with an object, as far as tests of kinds need it. */

import type { KubeObject } from "#cluster/api/meta.ts";
import { applyDefaults } from "#cluster/apiserver/schema/defaults.ts";
import { cloneJson } from "#cluster/apiserver/schema/json.ts";
import { validate } from "#cluster/apiserver/schema/validate.ts";
import type { Kind } from "./kind.ts";
import { BUILT_IN_KINDS } from "./table.ts";

/** 2026-01-02T03:04:05Z, the present of these tests. */
export const NOW = Date.UTC(2026, 0, 2, 3, 4, 5);

/** The built-in row of that name; throws when there is none. */
export function kindNamed(name: string): Kind {
  const kind = BUILT_IN_KINDS.find((row) => row.kind === name);
  if (kind === undefined) throw new Error(`no built-in kind ${name}`);
  return kind;
}

/** A copy with defaults, prepared for creation or, with `old`, for an update. */
export function prepared(kind: Kind, given: unknown, old?: KubeObject): KubeObject {
  const object = cloneJson(given) as KubeObject;
  applyDefaults(kind.schema, object);
  kind.strategy.applyDefaults?.(object);
  kind.strategy.prepare?.(object, old, {
    now: new Date(NOW).toISOString(),
    user: "tester",
    operation: old === undefined ? "create" : "update",
    subresource: "",
  });
  return object;
}

/** `field: message` of every problem of a creation. */
export function problemsOnCreate(kind: Kind, given: unknown): string[] {
  const object = prepared(kind, given);
  const problems = validate(kind.schema, object);
  if (problems.length === 0) problems.push(...(kind.strategy.validate?.(object) ?? []));
  return problems.map(({ field, message }) => `${field}: ${message}`);
}

/** `field: message` of what an update may not do. */
export function problemsOnUpdate(kind: Kind, before: unknown, after: unknown): string[] {
  const old = prepared(kind, before);
  const object = prepared(kind, after, old);
  const problems = kind.strategy.validateUpdate?.(object, old) ?? [];
  return problems.map(({ field, message }) => `${field}: ${message}`);
}

/** Column name → cell. */
export function cellsOf(kind: Kind, object: unknown): Record<string, unknown> {
  return Object.fromEntries(
    kind.columns.map((column) => [column.name, column.cell(object as KubeObject, NOW)]),
  );
}
