/**
 * Sets of fields as Kubernetes writes them (`fieldsV1`): a tree of path elements, `f:<name>` of a
 * map, `k:<keys>` and `v:<value>` of lists. A node without members is a field of the set; one with
 * members is one only if `.` is among them. Sets are never changed once made; what an operation
 * leaves as it was is the same reference.
 */

import { compareElements } from "./path-element.ts";

export interface FieldSet {
  readonly [element: string]: FieldSet;
}

export type MutableFieldSet = Record<string, FieldSet>;

/** As a node: a field that nothing is below. As a root: the empty set. */
export const LEAF: FieldSet = Object.freeze({});
const SELF = ".";

export function isEmpty(set: FieldSet): boolean {
  for (const _ in set) return false;
  return true;
}

/** Whether a node is itself in the set. */
export function isMember(node: FieldSet | undefined): boolean {
  return node !== undefined && (Object.hasOwn(node, SELF) || isEmpty(node));
}

/** A node of what is below it (which it takes over), or undefined where nothing is in the set. */
export function nodeOf(self: boolean, below: MutableFieldSet | undefined): FieldSet | undefined {
  if (below === undefined || isEmpty(below)) return self ? LEAF : undefined;
  const sorted = inOrder(below);
  return self ? { [SELF]: LEAF, ...sorted } : sorted;
}

export function union(a: FieldSet, b: FieldSet): FieldSet {
  if (isEmpty(a)) return b;
  return isEmpty(b) ? a : below(a, b);
}

/** What is in `a` and not in `b`; a field stays although one below or above it goes. */
export function difference(a: FieldSet, b: FieldSet): FieldSet {
  return isEmpty(a) || isEmpty(b) ? a : (without(a, b, false) ?? LEAF);
}

export function intersection(a: FieldSet, b: FieldSet): FieldSet {
  return isEmpty(a) || isEmpty(b) ? LEAF : (common(a, b, false) ?? LEAF);
}

/** Every field of the set: those of a level before those below it. */
export function pathsOf(set: FieldSet): string[][] {
  const elements = Object.keys(set).filter((element) => element !== SELF);
  return [
    ...elements.filter((element) => isMember(set[element])).map((element) => [element]),
    ...elements.flatMap((element) =>
      pathsOf(set[element] ?? LEAF).map((path) => [element, ...path]),
    ),
  ];
}

/** A set from a client: unknown kinds of elements go, anything else that is no set is undefined. */
export function parseFieldSet(value: unknown, depth = 0): FieldSet | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value) || depth > 200) {
    return undefined;
  }
  const result: MutableFieldSet = {};
  let self = isEmpty(value as FieldSet);
  for (const [element, member] of Object.entries(value)) {
    if (element === SELF) self = true;
    else if (!/^.:/.test(element)) return undefined;
    else if (/^[fkvi]:/.test(element)) {
      const parsed = parseFieldSet(member, depth + 1);
      if (parsed === undefined) return undefined;
      result[element] = parsed;
    }
  }
  return nodeOf(self && depth > 0, result) ?? LEAF;
}

function unionOfNodes(a: FieldSet, b: FieldSet): FieldSet {
  if (a === b) return a;
  const both = below(a, b);
  const self = isMember(a) || isMember(b);
  if (both === a && isMember(a) === self) return a;
  const { [SELF]: _, ...rest } = both;
  return nodeOf(self, rest) ?? LEAF;
}

/** The members of both, `.` only if `a` has it. */
function below(a: FieldSet, b: FieldSet): FieldSet {
  let result: MutableFieldSet | undefined;
  for (const element of Object.keys(b)) {
    if (element === SELF) continue;
    const theirs = b[element] ?? LEAF;
    const ours = a[element];
    const merged = ours === undefined ? theirs : unionOfNodes(ours, theirs);
    if (merged === ours) continue;
    result ??= { ...a };
    result[element] = merged;
  }
  return result === undefined ? a : inOrder(result);
}

function without(a: FieldSet, b: FieldSet, self: boolean): FieldSet | undefined {
  const stays = self && isMember(a) && !isMember(b);
  let result: MutableFieldSet | undefined;
  for (const element of Object.keys(a)) {
    const theirs = element === SELF ? undefined : b[element];
    if (theirs === undefined) continue;
    const ours = a[element] ?? LEAF;
    const left = without(ours, theirs, true);
    if (left === ours) continue;
    result ??= { ...a };
    if (left === undefined) delete result[element];
    else result[element] = left;
  }
  if (result === undefined && stays === (self && isMember(a))) return a;
  const { [SELF]: _, ...rest } = result ?? a;
  return nodeOf(stays, rest);
}

function common(a: FieldSet, b: FieldSet, self: boolean): FieldSet | undefined {
  const result: MutableFieldSet = {};
  for (const element of Object.keys(a)) {
    const theirs = element === SELF ? undefined : b[element];
    if (theirs === undefined) continue;
    const both = common(a[element] ?? LEAF, theirs, true);
    if (both !== undefined) result[element] = both;
  }
  return nodeOf(self && isMember(a) && isMember(b), result);
}

/** The members in Kubernetes' order; the same reference when they are. */
function inOrder(set: MutableFieldSet): FieldSet {
  const elements = Object.keys(set);
  let sorted = true;
  for (let at = 1; sorted && at < elements.length; at++) {
    sorted = compareElements(elements[at - 1] ?? "", elements[at] ?? "") <= 0;
  }
  if (sorted) return set;
  const result: MutableFieldSet = {};
  for (const element of elements.toSorted(compareElements)) result[element] = set[element] ?? LEAF;
  return result;
}
