/** A configuration laid over an object, and fields taken out of one. */

import { getOwn, isObject, setOwn, type JsonObject } from "#cluster/apiserver/schema/json.ts";
import { elementOf, indexList, type ListType } from "./elements.ts";
import { isEmpty, isMember, LEAF, type FieldSet } from "./field-set.ts";
import { DEDUCED, DEDUCED_MAP, memberOf, type MapType, type MergeType } from "./merge-type.ts";
import { fieldElement } from "./path-element.ts";

/**
 * Of what both have the configuration's; nothing goes. Lists that merge take the configuration's
 * order, with elements of others left where they were among them. The result shares both inputs.
 */
export function mergeConfiguration(type: MergeType, live: unknown, config: unknown): unknown {
  if (config === undefined) return live;
  if (live === undefined) return config;
  switch (type.kind) {
    case "leaf":
      return config;
    case "deduced":
      return isObject(live) && isObject(config) ? mergeMaps(DEDUCED_MAP, live, config) : config;
    case "map": {
      const [left, right] = [live ?? {}, config ?? {}];
      if (!isObject(left) || !isObject(right)) return config;
      const bare = Object.keys(left).length === 0 && Object.keys(right).length === 0;
      return bare ? config : mergeMaps(type, left, right);
    }
    case "set":
    case "keyed": {
      const [left, right] = [live ?? [], config ?? []];
      if (!Array.isArray(left) || !Array.isArray(right)) return config;
      return left.length === 0 && right.length === 0 ? config : mergeLists(type, left, right);
    }
  }
}

/** The value without the fields of the set; what contained them stays, be it empty. */
export function removeFields(type: MergeType, value: unknown, set: FieldSet): unknown {
  if (isEmpty(set)) return value;
  switch (type.kind) {
    case "leaf":
      return value;
    case "deduced":
      return isObject(value) ? removeFields(DEDUCED_MAP, value, set) : value;
    case "map": {
      if (!isObject(value)) return value;
      const result: JsonObject = {};
      for (const [name, member] of Object.entries(value)) {
        const node = getOwn(set, fieldElement(name));
        if (isMember(node)) continue;
        setOwn(result, name, removeFields(memberOf(type, name).type, member, node ?? LEAF));
      }
      return result;
    }
    case "set":
    case "keyed": {
      if (!Array.isArray(value)) return value;
      const item = type.kind === "keyed" ? type.item.type : DEDUCED;
      return value.flatMap((entry: unknown) => {
        const element = elementOf(type, entry);
        const node = element === undefined ? undefined : getOwn(set, element);
        return isMember(node) ? [] : [removeFields(item, entry, node ?? LEAF)];
      });
    }
  }
}

function mergeMaps(type: MapType, live: JsonObject, config: JsonObject): JsonObject {
  const result: JsonObject = {};
  for (const name of Object.keys(live)) {
    const member = memberOf(type, name).type;
    setOwn(result, name, mergeConfiguration(member, live[name], getOwn(config, name)));
  }
  for (const name of Object.keys(config)) {
    if (!Object.hasOwn(live, name)) setOwn(result, name, config[name]);
  }
  return result;
}

interface Entry {
  element: string | undefined;
  value: unknown;
}

function mergeLists(
  type: ListType,
  live: readonly unknown[],
  config: readonly unknown[],
): unknown[] {
  const item = type.kind === "keyed" ? type.item.type : DEDUCED;
  const entries = (list: readonly unknown[]): Entry[] =>
    list.map((value) => ({ element: elementOf(type, value), value }));
  const known = indexList(type, live);
  const wanted = indexList(type, config);
  const merged = ({ element, value }: Entry): unknown => {
    const same = element === undefined ? undefined : known.get(element);
    // Elements that share their key are replaced, not merged.
    return same?.length === 1 ? mergeConfiguration(item, same[0], value) : value;
  };
  return interleave(entries(live), entries(config), { known, wanted }).map((entry) =>
    entry.ours ? merged(entry) : entry.value,
  );
}

/**
 * The configuration's elements in its order; those of others stay before the shared element that
 * they stood before.
 */
function interleave(
  live: readonly Entry[],
  config: readonly Entry[],
  { known, wanted }: { known: Map<string, unknown[]>; wanted: Map<string, unknown[]> },
): (Entry & { ours: boolean })[] {
  const result: (Entry & { ours: boolean })[] = [];
  const isIn = (index: Map<string, unknown[]>, { element }: Entry): boolean =>
    element !== undefined && index.has(element);
  const shared = config.filter((entry) => isIn(known, entry));
  const taken = new Set<string | undefined>();
  let [left, right, next] = [0, 0, 0];
  while (left < live.length || right < config.length) {
    const theirs = live[left];
    const ours = config[right];
    const both = theirs !== undefined && isIn(wanted, theirs);
    if (both && theirs.element !== ours?.element && ours !== undefined) {
      // A shared element out of order waits for its turn in the configuration.
      if (next < shared.length && shared[next]?.element !== theirs.element) {
        left++;
        continue;
      }
    }
    if (theirs !== undefined && !both) {
      result.push({ ...theirs, ours: false });
      left++;
      continue;
    }
    if (theirs !== undefined && (taken.has(theirs.element) || theirs.element === ours?.element)) {
      left++;
    }
    if (ours === undefined) continue;
    result.push({ ...ours, ours: true });
    taken.add(ours.element);
    right++;
    if (next < shared.length && shared[next]?.element === ours.element) next++;
  }
  return result;
}
