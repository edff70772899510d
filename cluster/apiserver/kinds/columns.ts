/** Makers of printer columns. */

import type { KubeObject } from "#cluster/api/meta.ts";
import { ageSince } from "#cluster/apiserver/tables/age.ts";
import type { Column } from "./kind.ts";

export const NAME: Column = {
  name: "Name",
  type: "string",
  format: "name",
  description: "Name of the object",
  priority: 0,
  cell: (object) => object.metadata.name,
};

export const AGE: Column = {
  name: "Age",
  type: "string",
  description: "Time since the object was created",
  priority: 0,
  cell: (object, now) => ageSince(object.metadata.creationTimestamp, now),
};

export function text(name: string, cell: (object: KubeObject, now: number) => string): Column {
  return { name, type: "string", priority: 0, cell };
}

export function integer(name: string, cell: (object: KubeObject) => number): Column {
  return { name, type: "integer", priority: 0, cell };
}

/** The column with `-o wide` only. */
export function wide(column: Column): Column {
  return { ...column, priority: 1 };
}

/** Kubernetes' words for nothing to show. */
export const NONE = "<none>";
export const UNSET = "<unset>";
export const UNKNOWN = "<unknown>";

/** `a,b,c`, or `<none>`. */
export function joined(values: readonly string[]): string {
  return values.length === 0 ? NONE : values.join(",");
}

/** `a,b,c + 2 more...` as kubectl shortens long lists. */
export function shortened(values: readonly string[], max = 3): string {
  if (values.length <= max) return joined(values);
  return `${values.slice(0, max).join(",")} + ${values.length - max} more...`;
}

/** `a=b,c=d` in key order, or `<none>`. */
export function labelText(labels: Readonly<Record<string, string>>): string {
  return joined(
    Object.keys(labels)
      .toSorted()
      .map((key) => `${key}=${labels[key] ?? ""}`),
  );
}
