import { matchesAll } from "#pilot/model/labels.ts";
import type { ObjectKey } from "#pilot/model/name.ts";
import { type Labels, type Workload, compareText } from "#pilot/model/object.ts";

/** Somebody who selects workloads of his namespace by labels. */
export interface Selection {
  readonly namespace: string;
  readonly labels: Labels;
  /** Which kinds of workloads he may have; all where absent. */
  readonly admits?: (workload: Workload) => boolean;
}

/**
 * Workloads of all platforms, and who has selected which: a change of a workload concerns those who
 * select or selected it, and they find their others without looking at the rest. Each side is found
 * by one label of the other, so that neither many services nor many pods of a namespace count.
 */
export class WorkloadPool<Key extends string> {
  /** By namespace and label; without a label, all of the namespace. */
  readonly #workloads = new Groups<ObjectKey, Workload>();
  /** By namespace and that of its labels that the fewest others ask for. */
  readonly #selections = new Groups<Key, Selection>();
  readonly #groupOf = new Map<Key, string>();
  readonly #selected = new Map<Key, Map<ObjectKey, Workload>>();
  readonly #selectedBy = new Map<ObjectKey, Set<Key>>();

  /** Notes a selection, or that it is gone. */
  select(key: Key, selection: Selection | undefined, namespace: string): void {
    this.#selections.delete(this.#groupOf.get(key) ?? "", key);
    this.#groupOf.delete(key);
    for (const one of this.#selected.get(key)?.keys() ?? []) this.#selectedBy.get(one)?.delete(key);
    this.#selected.delete(key);
    if (selection === undefined) return;
    const names = groupsOf(namespace, selection.labels);
    const group = this.#selections.smallest(names);
    this.#selections.set(group, key, selection);
    this.#groupOf.set(key, group);
    this.#selected.set(key, new Map());
    for (const workload of this.#workloads.of(this.#workloads.smallest(names)).values()) {
      if (has(selection, workload)) this.#join(key, workload);
    }
  }

  /** What a selection has, in an order of its own. */
  selected(key: Key): Workload[] {
    return [...(this.#selected.get(key)?.values() ?? [])].toSorted((left, right) =>
      compareText(left.key, right.key),
    );
  }

  /** Replaces a workload; the keys of selections that had it or have it now. */
  replace(before: Workload | undefined, after: Workload | undefined): Key[] {
    const concerned = new Set<Key>();
    if (before !== undefined) {
      for (const group of allGroupsOf(before)) this.#workloads.delete(group, before.key);
      for (const key of this.#selectedBy.get(before.key) ?? []) {
        this.#selected.get(key)?.delete(before.key);
        concerned.add(key);
      }
      this.#selectedBy.delete(before.key);
    }
    if (after !== undefined) for (const key of this.#admit(after)) concerned.add(key);
    return [...concerned];
  }

  /** Takes a workload in; the keys of selections that have it. */
  #admit(workload: Workload): Key[] {
    return allGroupsOf(workload).flatMap((group) => {
      this.#workloads.set(group, workload.key, workload);
      const keys: Key[] = [];
      for (const [key, selection] of this.#selections.of(group)) {
        if (has(selection, workload)) keys.push(key);
      }
      for (const key of keys) this.#join(key, workload);
      return keys;
    });
  }

  #join(key: Key, workload: Workload): void {
    this.#selected.get(key)?.set(workload.key, workload);
    const by = this.#selectedBy.get(workload.key) ?? new Set<Key>();
    this.#selectedBy.set(workload.key, by.add(key));
  }
}

/** Maps by name; an empty one is none. */
class Groups<Key extends string, Value> {
  readonly #groups = new Map<string, Map<Key, Value>>();

  of(group: string): ReadonlyMap<Key, Value> {
    return this.#groups.get(group) ?? new Map();
  }

  set(group: string, key: Key, value: Value): void {
    const found = this.#groups.get(group);
    if (found === undefined) this.#groups.set(group, new Map([[key, value]]));
    else found.set(key, value);
  }

  delete(group: string, key: Key): void {
    const found = this.#groups.get(group);
    found?.delete(key);
    if (found?.size === 0) this.#groups.delete(group);
  }

  /** Of at least one group, the one that holds the least. */
  smallest(groups: readonly string[]): string {
    const size = (group: string): number => this.#groups.get(group)?.size ?? 0;
    return groups.reduce((least, group) => (size(group) < size(least) ? group : least));
  }
}

/** The groups in which everything with all these labels is. */
function groupsOf(namespace: string, labels: Labels): string[] {
  const named = Object.entries(labels).map(([name, value]) => `${namespace}/${name}=${value}`);
  return named.length === 0 ? [`${namespace}/`] : named;
}

function allGroupsOf({ namespace, labels }: Workload): string[] {
  const all = `${namespace}/`;
  return [...new Set([all, ...groupsOf(namespace, labels)])];
}

function has(selection: Selection, workload: Workload): boolean {
  return matchesAll(selection.labels, workload.labels) && selection.admits?.(workload) !== false;
}
