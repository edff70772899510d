/** The elements of lists that merge, by their path elements. */

import { getOwn, isObject } from "#cluster/apiserver/schema/json.ts";
import type { KeyedType, MergeType } from "./merge-type.ts";
import { keyElement, valueElement } from "./path-element.ts";

export type ListType = Extract<MergeType, { kind: "set" | "keyed" }>;

/** The path element of a list's element; undefined where it has no key, or is no scalar. */
export function elementOf(type: ListType, item: unknown): string | undefined {
  if (type.kind === "keyed") return keyOf(type, item);
  return typeof item === "object" ? undefined : valueElement(item);
}

/** The elements with each path element, in the list's order; those without one are left out. */
export function indexList(type: ListType, list: readonly unknown[]): Map<string, unknown[]> {
  const index = new Map<string, unknown[]>();
  for (const item of list) {
    const element = elementOf(type, item);
    if (element === undefined) continue;
    const known = index.get(element);
    if (known === undefined) index.set(element, [item]);
    else known.push(item);
  }
  return index;
}

function keyOf(type: KeyedType, item: unknown): string | undefined {
  if (!isObject(item)) return undefined;
  const keys: [string, unknown][] = [];
  for (const { name, fallback } of type.keys) {
    const value = getOwn(item, name) ?? fallback;
    if (value !== undefined) keys.push([name, value]);
  }
  return keys.length === 0 ? undefined : keyElement(keys);
}
