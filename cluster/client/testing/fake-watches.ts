/** The watch side of FakeApi: a history of events and the streams that follow it. */

import type { WatchOptions } from "#cluster/client/client.ts";
import type { KubeObject, WatchEvent } from "#cluster/api/meta.ts";
import { matchesRequirements, parseSelector } from "#cluster/api/selector.ts";
import { statusError } from "#cluster/api/status-error.ts";

export interface FakeChange {
  collection: string;
  type: "ADDED" | "MODIFIED" | "DELETED";
  object: KubeObject;
  old: KubeObject | undefined;
}

interface Selection {
  namespace?: string;
  labelSelector?: string;
  fieldSelector?: string;
}

interface Stream {
  collection: string;
  options: WatchOptions;
  queue: WatchEvent<KubeObject>[];
  ended: boolean;
  wake: () => void;
}

/** Whether an object is within a namespace, label selector and field selector (by path). */
export function selects(selection: Selection, object: object): boolean {
  const { metadata } = object as KubeObject;
  const { namespace, labelSelector, fieldSelector } = selection;
  if (namespace !== undefined && metadata.namespace !== namespace) return false;
  const labels = parseSelector(labelSelector ?? "");
  if (!labels.ok) throw statusError("BadRequest", labels.message);
  if (!matchesRequirements(labels.requirements, metadata.labels)) return false;
  const terms = (fieldSelector ?? "").split(",").filter((term) => term !== "");
  return terms.every((term) => {
    const {
      path = "",
      operator,
      value,
    } = /^(?<path>[^!=]+)(?<operator>!=|==?)(?<value>.*)$/.exec(term)?.groups ?? { path: term };
    const actual = fieldAt(object, path);
    return operator === "!=" ? actual !== value : actual === value;
  });
}

function fieldAt(object: object, path: string): string {
  let value: unknown = object;
  for (const part of path.split(".")) {
    value =
      typeof value === "object" && value !== null && Object.hasOwn(value, part)
        ? (value as Record<string, unknown>)[part]
        : undefined;
  }
  return typeof value === "string" || typeof value === "number" ? String(value) : "";
}

/** Delivers in order of revision; an object that leaves a selection is DELETED for it. */
export class FakeWatches {
  #history: FakeChange[] = [];
  #compacted = 0;
  readonly #streams = new Set<Stream>();

  publish(change: FakeChange): void {
    const kept = { ...change, object: structuredClone(change.object) };
    this.#history.push(kept);
    for (const stream of this.#streams) this.#offer(stream, kept);
  }

  breakAll(): void {
    for (const stream of this.#streams) {
      stream.ended = true;
      stream.wake();
    }
    this.#streams.clear();
  }

  compact(revision: number): void {
    this.#compacted = revision;
    this.#history = [];
  }

  async *open(
    collection: string,
    options: WatchOptions,
  ): AsyncGenerator<WatchEvent<KubeObject>, void, undefined> {
    const since = Number(options.resourceVersion);
    if (since < this.#compacted) {
      throw statusError("Expired", `too old resource version: ${since} (${this.#compacted})`);
    }
    const stream: Stream = { collection, options, queue: [], ended: false, wake: () => undefined };
    for (const change of this.#history) {
      if (Number(change.object.metadata.resourceVersion) > since) this.#offer(stream, change);
    }
    this.#streams.add(stream);
    const abort = (): void => stream.wake();
    options.signal.addEventListener("abort", abort);
    try {
      while (!options.signal.aborted) {
        const event = stream.queue.shift();
        if (event !== undefined) {
          yield event;
        } else if (stream.ended) {
          return;
        } else {
          await new Promise<void>((resolve) => {
            stream.wake = resolve;
          });
        }
      }
    } finally {
      options.signal.removeEventListener("abort", abort);
      this.#streams.delete(stream);
    }
  }

  #offer(stream: Stream, change: FakeChange): void {
    if (stream.collection !== change.collection) return;
    const was = change.old !== undefined && selects(stream.options, change.old);
    const is = change.type !== "DELETED" && selects(stream.options, change.object);
    if (!was && !is) return;
    const type = !is ? "DELETED" : was ? "MODIFIED" : "ADDED";
    stream.queue.push({ type, object: structuredClone(change.object) });
    stream.wake();
  }
}
