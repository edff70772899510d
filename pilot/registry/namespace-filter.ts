/** Which namespaces the mesh looks at (Istio, "discovery selectors"). */

import type { KubeObject } from "#cluster/api/meta.ts";
import { matchesLabelSelector } from "#cluster/api/selector.ts";
import type { NamespaceSelector } from "#pilot/model/mesh-config.ts";
import { compareText } from "#pilot/model/object.ts";

interface Event {
  readonly type: "upsert" | "delete";
  readonly object: KubeObject;
  readonly cluster?: string;
}

/**
 * Keeps every object that was seen, by namespace, so that a namespace that comes into view or leaves
 * it brings its objects with it. Selectors are looked up by the labels of the namespace in its own
 * cluster.
 */
export class NamespaceFilter {
  /** `CLUSTER/NAMESPACE` → the objects in it. */
  readonly #seen = new Map<string, Map<string, Event>>();
  readonly #labels = new Map<string, Readonly<Record<string, string>>>();
  #selectors: readonly NamespaceSelector[] = [];

  /** Notes an object; whether it counts. A deletion of what doesn't count is nothing. */
  admits(event: Event): boolean {
    const place = placeOf(event.cluster, event.object.metadata.namespace);
    const here = this.#seen.get(place) ?? new Map<string, Event>();
    const id = `${event.object.apiVersion}/${event.object.kind}/${event.object.metadata.name}`;
    if (event.type === "delete") here.delete(id);
    else here.set(id, event);
    if (here.size === 0) this.#seen.delete(place);
    else this.#seen.set(place, here);
    return this.#isSelected(place);
  }

  /** What a Namespace's change brings into view, or takes out of it. */
  namespace({ type, object, cluster }: Event): Event[] {
    const place = placeOf(cluster, object.metadata.name);
    const before = this.#isSelected(place);
    if (type === "delete") this.#labels.delete(place);
    else this.#labels.set(place, object.metadata.labels ?? {});
    const after = this.#isSelected(place);
    return before === after ? [] : this.#moved(place, after);
  }

  /** What new selectors bring into view, or take out of it. */
  selectors(selectors: readonly NamespaceSelector[]): Event[] {
    if (JSON.stringify(selectors) === JSON.stringify(this.#selectors)) return [];
    const before = new Set([...this.#seen.keys()].filter((place) => this.#isSelected(place)));
    this.#selectors = selectors;
    const moved = [...this.#seen.keys()].filter(
      (place) => before.has(place) !== this.#isSelected(place),
    );
    return moved.flatMap((place) => this.#moved(place, this.#isSelected(place)));
  }

  /** All that counts in a cluster. */
  seen(cluster: string | undefined): Event[] {
    return [...this.#seen]
      .filter(([place]) => place.startsWith(`${cluster ?? ""}/`) && this.#isSelected(place))
      .flatMap(([, events]) => [...events.values()]);
  }

  #moved(place: string, comes: boolean): Event[] {
    const events = [...(this.#seen.get(place)?.values() ?? [])];
    return comes ? replayOrder(events) : events.map((event) => ({ ...event, type: "delete" }));
  }

  /** Objects without a namespace always count. */
  #isSelected(place: string): boolean {
    if (this.#selectors.length === 0 || place.endsWith("/")) return true;
    const labels = this.#labels.get(place);
    return labels !== undefined && this.#selectors.some((one) => selects(one, labels));
  }
}

function selects(
  { matchLabels, matchExpressions }: NamespaceSelector,
  labels: Readonly<Record<string, string>>,
): boolean {
  const expressions = matchExpressions?.map(({ key, operator, values }) => ({
    key,
    operator,
    ...(values === undefined ? {} : { values: [...values] }),
  }));
  const selector = {
    ...(matchLabels === undefined ? {} : { matchLabels: { ...matchLabels } }),
    ...(expressions === undefined ? {} : { matchExpressions: expressions }),
  };
  return matchesLabelSelector(selector, labels);
}

function placeOf(cluster: string | undefined, namespace: string | undefined): string {
  return `${cluster ?? ""}/${namespace ?? ""}`;
}

const RANK: Readonly<Record<string, number>> = { Node: 0, Pod: 1 };

/** Nodes and pods first: what comes later finds them, and needn't be made twice. */
export function replayOrder(events: readonly Event[]): Event[] {
  const rank = ({ object }: Event): number => RANK[object.kind ?? ""] ?? 2;
  return events.toSorted(
    (left, right) =>
      rank(left) - rank(right) ||
      compareText(left.object.metadata.name, right.object.metadata.name),
  );
}
