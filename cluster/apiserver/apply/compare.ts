/** Which fields two states of an object differ in, as field sets. */

import { equalJson, getOwn, isObject, type JsonObject } from "#cluster/apiserver/schema/json.ts";
import { indexList, type ListType } from "./elements.ts";
import { LEAF, nodeOf, type FieldSet, type MutableFieldSet } from "./field-set.ts";
import { DEDUCED, DEDUCED_MAP, memberOf, type MapType, type MergeType } from "./merge-type.ts";
import { fieldElement } from "./path-element.ts";

export interface Comparison {
  /** Added, or of another value. */
  changed: FieldSet;
  removed: FieldSet;
}

/** What a comparison leaves out: members of the object, and of its metadata. */
export interface Ignored {
  members: ReadonlySet<string>;
  metadata: ReadonlySet<string>;
}

const NOTHING: Ignored = { members: new Set(), metadata: new Set() };

/** From `before` to `after`, both whole objects of the type. */
export function compare(
  type: MergeType,
  before: JsonObject,
  after: JsonObject,
  { members, metadata }: Ignored = NOTHING,
): Comparison {
  const root = type.kind === "map" ? type : DEDUCED_MAP;
  const parts = new Parts();
  const { metadata: _, ...left } = before;
  const { metadata: __, ...right } = after;
  compareMembers(root, { left, right }, parts, members);
  if (members.has("metadata")) return parts.comparison();
  const both = { left: metadataOf(before), right: metadataOf(after) };
  const ofMetadata = new Parts();
  const { type: inner } = memberOf(root, "metadata");
  compareMembers(inner.kind === "map" ? inner : DEDUCED_MAP, both, ofMetadata, metadata);
  parts.add("f:metadata", ofMetadata.difference(true, true));
  return parts.comparison();
}

interface Difference {
  changed: FieldSet | undefined;
  removed: FieldSet | undefined;
}

const ADDED: Difference = { changed: LEAF, removed: undefined };
const REMOVED: Difference = { changed: undefined, removed: LEAF };

/** One of the two may be undefined (absent); undefined when they are the same. */
function compareNode(type: MergeType, before: unknown, after: unknown): Difference | undefined {
  if (before === after) return undefined;
  switch (type.kind) {
    case "leaf":
      return compareLeaf(before, after);
    case "deduced":
      if (!isObject(before) && !isObject(after)) return compareLeaf(before, after);
      return compareMaps(DEDUCED_MAP, before, after);
    case "map":
      return compareMaps(type, before, after);
    case "set":
    case "keyed":
      return compareLists(type, before, after);
  }
}

function compareLeaf(before: unknown, after: unknown): Difference | undefined {
  if (before === undefined) return ADDED;
  if (after === undefined) return REMOVED;
  return equalJson(before, after) ? undefined : ADDED;
}

function compareMaps(type: MapType, before: unknown, after: unknown): Difference | undefined {
  const [left, right] = [before ?? {}, after ?? {}];
  if (!isObject(left) || !isObject(right)) return compareLeaf(before, after);
  if (isBare(left) && isBare(right)) return compareLeaf(before, after);
  const parts = new Parts();
  const sides = { left, right, isNew: before === undefined, isGone: after === undefined };
  compareMembers(type, sides, parts);
  return parts.difference(before !== undefined, after !== undefined);
}

interface Sides {
  left: JsonObject;
  right: JsonObject;
  isNew?: boolean;
  isGone?: boolean;
}

function compareMembers(
  type: MapType,
  { left, right, isNew = false, isGone = false }: Sides,
  parts: Parts,
  ignored?: ReadonlySet<string>,
): void {
  for (const name of Object.keys(right)) {
    const now = right[name];
    if (now === undefined || ignored?.has(name) === true) continue;
    const member = memberOf(type, name);
    const was = getOwn(left, name) ?? (member.implied && !isNew ? zeroOf(now) : undefined);
    if (was !== now) parts.add(fieldElement(name), compareNode(member.type, was, now));
  }
  for (const name of Object.keys(left)) {
    const was = left[name];
    if (was === undefined || getOwn(right, name) !== undefined) continue;
    if (ignored?.has(name) === true) continue;
    const member = memberOf(type, name);
    const now = member.implied && !isGone ? zeroOf(was) : undefined;
    parts.add(fieldElement(name), compareNode(member.type, was, now));
  }
}

function metadataOf(object: JsonObject): JsonObject {
  return isObject(object.metadata) ? object.metadata : {};
}

function compareLists(type: ListType, before: unknown, after: unknown): Difference | undefined {
  const [left, right] = [before ?? [], after ?? []];
  if (!Array.isArray(left) || !Array.isArray(right)) return compareLeaf(before, after);
  if (left.length === 0 && right.length === 0) return compareLeaf(before, after);
  const item = type.kind === "keyed" ? type.item.type : DEDUCED;
  const [was, now] = [indexList(type, left), indexList(type, right)];
  const parts = new Parts();
  for (const [element, values] of now) {
    parts.add(element, compareItems(item, was.get(element) ?? [], values));
  }
  for (const [element, values] of was) {
    if (!now.has(element)) parts.add(element, compareItems(item, values, []));
  }
  return parts.difference(before !== undefined, after !== undefined);
}

/** Elements that share their key are one field, whatever is in them. */
function compareItems(
  type: MergeType,
  before: readonly unknown[],
  after: readonly unknown[],
): Difference | undefined {
  if (before.length <= 1 && after.length <= 1) return compareNode(type, before[0], after[0]);
  if (before.length > 1 && after.length > 1) return equalJson(before, after) ? undefined : ADDED;
  if (after.length > 1) {
    const gone = before.length === 0 ? undefined : compareNode(type, before[0], undefined);
    return { changed: LEAF, removed: gone?.removed };
  }
  const come = after.length === 0 ? undefined : compareNode(type, undefined, after[0]);
  return { changed: come?.changed, removed: LEAF };
}

/** Collects the differences of members into that of their parent. */
class Parts {
  #changed: MutableFieldSet | undefined;
  #removed: MutableFieldSet | undefined;

  add(element: string, found: Difference | undefined): void {
    if (found?.changed !== undefined) (this.#changed ??= {})[element] = found.changed;
    if (found?.removed !== undefined) (this.#removed ??= {})[element] = found.removed;
  }

  /** Of a parent that was there before, and is now. */
  difference(wasThere: boolean, isThere: boolean): Difference | undefined {
    const changed = nodeOf(!wasThere, this.#changed);
    const removed = nodeOf(!isThere, this.#removed);
    return changed === undefined && removed === undefined ? undefined : { changed, removed };
  }

  comparison(): Comparison {
    const { changed = LEAF, removed = LEAF } = this.difference(true, true) ?? {};
    return { changed, removed };
  }
}

function zeroOf(value: unknown): unknown {
  return Array.isArray(value) ? [] : isObject(value) ? {} : undefined;
}

function isBare(value: JsonObject): boolean {
  for (const _ in value) return false;
  return true;
}
