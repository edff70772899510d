/** The fields that a configuration names, and so claims for its applier. */

import { getOwn, isObject, type JsonObject } from "#cluster/apiserver/schema/json.ts";
import { elementOf, indexList, type ListType } from "./elements.ts";
import { isMember, LEAF, nodeOf, type FieldSet, type MutableFieldSet } from "./field-set.ts";
import { DEDUCED, DEDUCED_MAP, memberOf, type MergeType } from "./merge-type.ts";
import { fieldElement } from "./path-element.ts";

/** Every leaf, every element of a list and every entry of a map that the object has. */
export function ownedFields(type: MergeType, object: JsonObject): FieldSet {
  return nodeOf(false, membersOf(type, object)) ?? LEAF;
}

/**
 * With the structs that contain fields of the set: where all that an applier set of a struct goes,
 * the struct goes too, unless someone else has something in it.
 */
export function withStructs(type: MergeType | undefined, set: FieldSet): FieldSet {
  const result: MutableFieldSet = {};
  for (const [element, node] of Object.entries(set)) {
    if (element === ".") continue;
    const member = typeOfElement(type, element);
    const { ".": _, ...rest } = withStructs(member?.type, node);
    result[element] = nodeOf(isMember(node) || member?.declared === true, rest) ?? LEAF;
  }
  return nodeOf(false, result) ?? LEAF;
}

/** The type that a path element leads to, where the set still fits the schema. */
export function typeOfElement(
  type: MergeType | undefined,
  element: string,
): { type: MergeType; declared: boolean } | undefined {
  if (type?.kind === "map" && element.startsWith("f:")) return memberOf(type, element.slice(2));
  if (type?.kind === "keyed" && element.startsWith("k:")) {
    return { type: type.item.type, declared: false };
  }
  if (type?.kind === "deduced") return { type: DEDUCED, declared: false };
  return undefined;
}

function membersOf(type: MergeType, value: unknown): MutableFieldSet {
  switch (type.kind) {
    case "leaf":
      return {};
    case "deduced":
      return isObject(value) ? membersOf(DEDUCED_MAP, value) : {};
    case "map": {
      const result: MutableFieldSet = {};
      for (const name of Object.keys(isObject(value) ? value : {})) {
        const { type: member, declared } = memberOf(type, name);
        const node = fieldNode(member, getOwn(value as JsonObject, name), declared);
        if (node !== undefined) result[fieldElement(name)] = node;
      }
      return result;
    }
    case "set":
    case "keyed":
      return itemsOf(type, Array.isArray(value) ? value : []);
  }
}

function fieldNode(type: MergeType, value: unknown, declared: boolean): FieldSet | undefined {
  if (value === undefined) return undefined;
  const bare = value === null || (isObject(value) && Object.keys(value).length === 0);
  const whole =
    type.kind === "leaf" || (type.kind === "deduced" && !isObject(value)) || !isContainer(value);
  return nodeOf(bare || whole || !declared, whole ? {} : membersOf(type, value));
}

function isContainer(value: unknown): boolean {
  return typeof value === "object" && value !== null;
}

function itemsOf(type: ListType, list: readonly unknown[]): MutableFieldSet {
  const result: MutableFieldSet = {};
  const index = indexList(type, list);
  for (const item of list) {
    const element = elementOf(type, item);
    if (element === undefined) continue;
    const alone = index.get(element)?.length === 1;
    const members = alone && type.kind === "keyed" ? membersOf(type.item.type, item) : {};
    result[element] = nodeOf(true, members) ?? LEAF;
  }
  return result;
}
