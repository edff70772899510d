/** Who manages which fields of an object: the entries of `metadata.managedFields`. */

import type { ManagedFieldsEntry } from "#cluster/api/meta.ts";
import { equalJson } from "#cluster/apiserver/schema/json.ts";
import type { Comparison } from "./compare.ts";
import { difference, isEmpty, LEAF, parseFieldSet, union, type FieldSet } from "./field-set.ts";

/** More updaters than this are merged, the oldest first. */
const MAX_UPDATERS = 10;
const MERGED_UPDATERS = "ancient-changes";

/** Who writes: what an entry is known by. */
export interface Manager {
  /** As the client names itself, or the first part of its User-Agent. */
  name: string;
  operation: "Apply" | "Update";
  apiVersion: string;
  /** Empty for the object itself. */
  subresource: string;
}

export type Entries = readonly ManagedFieldsEntry[];

export function fieldsOf(entry: ManagedFieldsEntry): FieldSet {
  // Parsed from the store, which holds what `parseEntries` let in, or given by a write of ours.
  return (entry.fieldsV1 ?? LEAF) as FieldSet;
}

/** Kubernetes' identifier of an entry: appliers are the same in every version. */
export function identifier(entry: ManagedFieldsEntry): string {
  const { manager, operation, apiVersion, subresource } = entry;
  const version = operation === "Apply" ? undefined : apiVersion;
  return JSON.stringify({ manager, operation, apiVersion: version, subresource });
}

/** Whether two entries have the same identifier. */
export function isSame(a: ManagedFieldsEntry, b: ManagedFieldsEntry): boolean {
  return (
    a.manager === b.manager &&
    a.operation === b.operation &&
    a.subresource === b.subresource &&
    (a.operation === "Apply" || a.apiVersion === b.apiVersion)
  );
}

export function entryOf(manager: Manager, fields: FieldSet, time?: string): ManagedFieldsEntry {
  const { name, operation, apiVersion, subresource } = manager;
  return {
    manager: name === "" ? "unknown" : name,
    operation,
    apiVersion,
    ...(time === undefined ? {} : { time }),
    fieldsType: "FieldsV1",
    fieldsV1: fields,
    ...(subresource === "" ? {} : { subresource }),
  };
}

/**
 * What a client wrote into managedFields: `[]` and `[{}]` clear them; what can't be read, or is
 * absent, is undefined, and leaves them as they are.
 */
export function parseEntries(given: unknown): Entries | undefined {
  if (!Array.isArray(given)) return undefined;
  if (given.length === 0 || (given.length === 1 && equalJson(given[0], {}))) return [];
  const entries: ManagedFieldsEntry[] = [];
  for (const entry of given as ManagedFieldsEntry[]) {
    const fields = parseFieldSet(entry?.fieldsV1 ?? {});
    const { operation, apiVersion, fieldsType, manager, subresource, time } = entry ?? {};
    const known = operation === "Apply" || operation === "Update";
    if (fields === undefined || !known || (apiVersion ?? "") === "") return undefined;
    if (fieldsType !== "FieldsV1") return undefined;
    const texts = [manager, subresource, time, apiVersion];
    if (texts.some((text) => text !== undefined && typeof text !== "string")) return undefined;
    entries.push({
      manager,
      operation,
      apiVersion,
      ...(time === undefined ? {} : { time }),
      fieldsType,
      fieldsV1: fields,
      ...(subresource === undefined ? {} : { subresource }),
    });
  }
  return entries;
}

/** Without the fields, for every entry that `isMeant`; entries that are left with none go. */
export function disown(
  entries: Entries,
  fields: FieldSet,
  isMeant: (entry: ManagedFieldsEntry) => boolean = () => true,
): Entries {
  if (isEmpty(fields)) return entries;
  let changed = false;
  const result: ManagedFieldsEntry[] = [];
  for (const entry of entries) {
    const before = fieldsOf(entry);
    const after = isMeant(entry) ? difference(before, fields) : before;
    if (after === before) result.push(entry);
    else {
      changed = true;
      if (!isEmpty(after)) result.push({ ...entry, fieldsV1: after });
    }
  }
  return changed ? result : entries;
}

/**
 * After an update: what it changed belongs to its manager alone, what it removed to nobody. The
 * same reference when that was so already.
 */
export function ownUpdate(
  entries: Entries,
  { changed, removed }: Comparison,
  by: { manager: Manager; now: string },
): Entries {
  const others = disown(entries, union(changed, removed));
  if (isEmpty(changed)) return others;
  const own = entryOf(by.manager, changed, by.now);
  const before = others.find((entry) => isSame(entry, own));
  if (before !== undefined) own.fieldsV1 = union(changed, fieldsOf(before));
  const rest = others.filter((entry) => entry !== before);
  return inOrder(withinBounds([...rest, own]));
}

/** Kubernetes' order: appliers first, then by time and name. */
export function inOrder(entries: Entries): Entries {
  return entries.toSorted(
    (a, b) =>
      compareTexts(a.operation, b.operation) ||
      compareTexts(a.time, b.time) ||
      compareTexts(a.manager, b.manager) ||
      compareTexts(a.apiVersion, b.apiVersion) ||
      compareTexts(a.subresource, b.subresource),
  );
}

/** Whether two states differ in more than the times of their entries. */
export function sameOwners(a: Entries, b: Entries): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  const known = new Map(b.map((entry) => [identifier(entry), entry]));
  return a.every((entry) => {
    const other = known.get(identifier(entry));
    return (
      other !== undefined &&
      other.apiVersion === entry.apiVersion &&
      equalJson(other.fieldsV1 ?? {}, entry.fieldsV1 ?? {})
    );
  });
}

/** Merges the oldest updaters of a version into one entry, as many as are too many. */
function withinBounds(entries: Entries): Entries {
  const updaters = entries.filter((entry) => entry.operation === "Update");
  let excess = updaters.length - MAX_UPDATERS;
  if (excess <= 0) return entries;
  const oldest = updaters.toSorted(
    (a, b) => compareTexts(a.time, b.time) || compareTexts(identifier(a), identifier(b)),
  );
  const gone = new Set<ManagedFieldsEntry>();
  const merged = new Map<string, ManagedFieldsEntry>();
  for (const entry of oldest) {
    if (excess <= 0) break;
    const version = entry.apiVersion ?? "";
    const bucket = merged.get(version);
    gone.add(entry);
    if (bucket === undefined) {
      // The first of its version alone saves nothing: it becomes the one that takes others in.
      merged.set(version, entry);
      continue;
    }
    const manager = { operation: "Update", apiVersion: version, subresource: "" } as const;
    const fields = union(fieldsOf(bucket), fieldsOf(entry));
    merged.set(version, entryOf({ ...manager, name: MERGED_UPDATERS }, fields, entry.time));
    excess--;
  }
  return [...entries.filter((entry) => !gone.has(entry)), ...merged.values()];
}

function compareTexts(a = "", b = ""): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
