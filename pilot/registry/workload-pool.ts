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
 * select or selected it, and they find their others without looking at the rest.
 */
export class WorkloadPool<Key extends string> {
  readonly #byNamespace = new Map<string, Map<ObjectKey, Workload>>();
  readonly #selections = new Map<string, Map<Key, Selection>>();
  readonly #selected = new Map<Key, Map<ObjectKey, Workload>>();

  /** Notes a selection, or that it is gone. */
  select(key: Key, selection: Selection | undefined, namespace: string): void {
    this.#selections.get(namespace)?.delete(key);
    this.#selected.delete(key);
    if (selection === undefined) return;
    const here = this.#selections.get(namespace) ?? new Map<Key, Selection>();
    this.#selections.set(namespace, here.set(key, selection));
    const workloads = this.#byNamespace.get(namespace)?.values() ?? [];
    this.#selected.set(
      key,
      new Map([...workloads].filter((one) => has(selection, one)).map((one) => [one.key, one])),
    );
  }

  /** What a selection has, in an order of its own. */
  selected(key: Key): Workload[] {
    return [...(this.#selected.get(key)?.values() ?? [])].toSorted((left, right) =>
      compareText(left.key, right.key),
    );
  }

  /** Replaces a workload; the keys of selections that had it or have it now. */
  replace(before: Workload | undefined, after: Workload | undefined): Key[] {
    const workload = after ?? before;
    if (workload === undefined) return [];
    const here = this.#byNamespace.get(workload.namespace) ?? new Map<ObjectKey, Workload>();
    this.#byNamespace.set(workload.namespace, here);
    if (after === undefined) here.delete(workload.key);
    else here.set(after.key, after);
    const concerned: Key[] = [];
    for (const [key, selection] of this.#selections.get(workload.namespace) ?? []) {
      const members = this.#selected.get(key);
      const had = members?.delete(workload.key) === true;
      const hasNow = after !== undefined && has(selection, after);
      if (hasNow) members?.set(after.key, after);
      if (had || hasNow) concerned.push(key);
    }
    return concerned;
  }
}

function has(selection: Selection, workload: Workload): boolean {
  return matchesAll(selection.labels, workload.labels) && selection.admits?.(workload) !== false;
}
