/** Field ownership after a write: of updates as they come, of applied configurations by merging. */

import type { KubeObject, ManagedFieldsEntry } from "#cluster/api/meta.ts";
import type { Kind } from "#cluster/apiserver/kinds/kind.ts";
import { cloneJson, equalJson, isObject, type JsonObject } from "#cluster/apiserver/schema/json.ts";
import { compare, type Comparison, type Ignored } from "./compare.ts";
import { applyConflict, type Conflict } from "./conflict.ts";
import { difference, intersection, isEmpty, LEAF, nodeOf, union } from "./field-set.ts";
import type { FieldSet } from "./field-set.ts";
import { fieldsLastApplied, KUBECTL, updateLastApplied } from "./last-applied.ts";
import {
  disown,
  entryOf,
  fieldsOf,
  inOrder,
  isSame,
  ownUpdate,
  parseEntries,
  type Entries,
  type Manager,
} from "./managed-fields.ts";
import { mergeTypeOf, type MergeType } from "./merge-type.ts";
import { mergeConfiguration, removeFields } from "./merge.ts";
import { ownedFields, withStructs } from "./owned-fields.ts";

/** Has everything of an object that nobody was known to manage when it was first applied. */
const BEFORE_FIRST_APPLY = "before-first-apply";

/** What nobody manages: the server alone decides about it. */
const UNMANAGED: FieldSet = {
  "f:apiVersion": LEAF,
  "f:kind": LEAF,
  "f:metadata": {
    ".": LEAF,
    "f:name": LEAF,
    "f:namespace": LEAF,
    "f:creationTimestamp": LEAF,
    "f:selfLink": LEAF,
    "f:uid": LEAF,
    "f:generation": LEAF,
    "f:managedFields": LEAF,
    "f:resourceVersion": LEAF,
  },
};

const IGNORED: Ignored = {
  members: new Set(["apiVersion", "kind"]),
  metadata: new Set(Object.keys(UNMANAGED["f:metadata"] ?? {}).map((element) => element.slice(2))),
};
const IGNORED_BESIDE_STATUS: Ignored = {
  ...IGNORED,
  members: new Set(["apiVersion", "kind", "status"]),
};

export interface Writer {
  kind: Kind;
  /** The name of the manager. */
  name: string;
  subresource: string;
  /** RFC 3339. */
  now: string;
}

/**
 * The entries after an update from `old` (undefined when it is a creation) to `object`, which
 * counts without its managedFields; `given` are those that the client sent. The same reference as
 * `entries` when nobody gains or loses a field.
 */
export function trackUpdate(
  writer: Writer,
  { old, object, given }: { old?: JsonObject; object: JsonObject; given?: unknown },
  entries: Entries,
): Entries {
  const found = compareBy(writer, old ?? {}, object);
  const by = byOf(writer, "Update");
  if (old === undefined) return ownUpdate([], found, by);
  const asked = writer.subresource === "" && !equalJson(given ?? entries, entries);
  const before = (asked ? parseEntries(given) : undefined) ?? entries;
  // Once cleared, an object isn't tracked again before it is applied.
  return before.length === 0 ? before : ownUpdate(before, found, by);
}

export interface Applied {
  object: KubeObject;
  entries: Entries;
}

/**
 * Lays a configuration over the live object (undefined: it becomes a new one). Fields that the
 * applier no longer names and nobody else manages go. Throws a Conflict where others manage what
 * it wants otherwise, unless forced: then they lose it.
 */
export function applyConfiguration(
  writer: Writer,
  { live, config, force }: { live?: KubeObject; config: JsonObject; force: boolean },
  entries: Entries,
): Applied {
  const type = mergeTypeOf(writer.kind.schema);
  const by = byOf(writer, "Apply");
  const self = entryOf(by.manager, LEAF);
  const known = live !== undefined && entries.length === 0 ? adopt(writer, live) : entries;
  const before = known.find((entry) => isSame(entry, self));
  const others = known.filter((entry) => entry !== before);
  const fields = filtered(writer, ownedFields(type, config));
  const merged = mergeConfiguration(type, live ?? {}, cloneJson(config)) as KubeObject;
  const object = prune(type, merged, {
    last: before === undefined ? LEAF : fieldsOf(before),
    managed: [fields, ...others.map(fieldsOf)].reduce(union, LEAF),
  });
  const { changed, removed } = compareBy(writer, live ?? {}, object);
  const conflicts = conflictsOf(others, changed);
  if (!force && conflicts.length > 0) {
    const left =
      writer.name === KUBECTL && live !== undefined ? unsettled(type, live, conflicts) : conflicts;
    if (left.length > 0) throw applyConflict(left);
  }
  if (writer.name === KUBECTL) updateLastApplied(object, config);
  const own = difference(fields, UNMANAGED);
  const result = [...disown(others, union(changed, removed))];
  const same = isEmpty(changed) && isEmpty(removed) && before !== undefined;
  const time = same ? before.time : writer.now;
  if (!isEmpty(own)) result.push(entryOf(by.manager, own, time));
  return { object, entries: inOrder(result) };
}

function byOf(
  { kind, name, subresource, now }: Writer,
  operation: Manager["operation"],
): { manager: Manager; now: string } {
  const apiVersion = kind.group === "" ? kind.version : `${kind.group}/${kind.version}`;
  return { manager: { name, operation, apiVersion, subresource }, now };
}

function adopt(writer: Writer, live: KubeObject): Entries {
  const found = compareBy(writer, {}, live);
  return ownUpdate([], found, byOf({ ...writer, name: BEFORE_FIRST_APPLY }, "Update"));
}

/** The differences that count for ownership. */
function compareBy({ kind, subresource }: Writer, before: object, after: object): Comparison {
  const members = new Set(["apiVersion", "kind", "metadata"]);
  const type = mergeTypeOf(kind.schema);
  const [left, right] = [before as JsonObject, after as JsonObject];
  if (!kind.statusSubresource) return compare(type, left, right, IGNORED);
  if (subresource !== "status") return compare(type, left, right, IGNORED_BESIDE_STATUS);
  // A write of the status changes nothing else, whatever was sent with it.
  for (const name of [...Object.keys(left), ...Object.keys(right)]) members.add(name);
  members.delete("status");
  if (!kind.custom) members.delete("metadata");
  return compare(type, left, right, { members, metadata: IGNORED.metadata });
}

/** Without what a write of the object or of its status leaves as it was. */
function filtered({ kind, subresource }: Writer, set: FieldSet): FieldSet {
  if (!kind.statusSubresource) return set;
  if (subresource !== "status") {
    if (set["f:status"] === undefined) return set;
    const { "f:status": _, ...rest } = set;
    return rest;
  }
  const { "f:status": status, "f:metadata": metadata } = set;
  return (
    nodeOf(false, {
      ...(metadata === undefined || kind.custom ? {} : { "f:metadata": metadata }),
      ...(status === undefined ? {} : { "f:status": status }),
    }) ?? LEAF
  );
}

function conflictsOf(others: Entries, changed: FieldSet): Conflict[] {
  return others.flatMap((owner: ManagedFieldsEntry) => {
    const fields = intersection(fieldsOf(owner), changed);
    return isEmpty(fields) ? [] : [{ owner, fields }];
  });
}

/** The conflicts that are not with kubectl's own client-side apply. */
function unsettled(type: MergeType, live: KubeObject, conflicts: readonly Conflict[]): Conflict[] {
  const settled = fieldsLastApplied(type, live);
  return conflicts.flatMap(({ owner, fields }) => {
    const left = difference(fields, settled);
    return isEmpty(left) ? [] : [{ owner, fields: left }];
  });
}

/** Takes out what the applier named last and nobody names now. */
function prune(
  type: MergeType,
  merged: KubeObject,
  { last, managed }: { last: FieldSet; managed: FieldSet },
): KubeObject {
  if (isEmpty(last)) return merged;
  const fieldsIn = (value: unknown): FieldSet =>
    withStructs(type, ownedFields(type, isObject(value) ? value : {}));
  const named = withStructs(type, last);
  const all = fieldsIn(merged);
  // All that was named goes first; what others manage, or contains it, comes back.
  const without = fieldsIn(removeFields(type, merged, named));
  const gone = difference(all, union(without, withStructs(type, managed)));
  const kept = fieldsIn(removeFields(type, merged, gone));
  return removeFields(type, merged, intersection(difference(all, kept), named)) as KubeObject;
}
