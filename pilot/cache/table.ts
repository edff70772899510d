import type { EncodedResource } from "./resource.ts";
import type { TypeUrl } from "./type-url.ts";

/** What a reader at some position lacks. */
export interface TableDelta {
  changed: readonly EncodedResource[];
  /** With the last content, which a state-of-the-world client keeps while routes still use it. */
  removed: readonly EncodedResource[];
}

/** Someone who follows a table by a position in it. */
export interface TableReader {
  /** Changes up to here are not asked for again; undefined: this table isn't followed. */
  positionIn(table: ResourceTable): number | undefined;
}

interface LogEntry {
  sequence: number;
  name: string;
}

/** Removed resources that are remembered for slow readers, beside twice as many as there are live. */
const MAX_REMEMBERED = 4096;
const FIRST_TRIM = 64;

/**
 * The resources of one type that a class of proxies sees. Each change gets a sequence number, so a
 * reader (a stream) is one number: what it lacks is found without looking at what hasn't changed,
 * and nothing about single resources has to be kept for each stream.
 */
export class ResourceTable {
  readonly type: TypeUrl;
  /** Whoever wants everything of the type doesn't mean these resources: they go to who names them. */
  readonly onDemand: boolean;
  readonly #live = new Map<string, EncodedResource>();
  readonly #gone = new Map<string, EncodedResource>();
  readonly #changedAt = new Map<string, number>();
  /** Ascending; an entry counts only if it is the latest of its name. */
  #log: LogEntry[] = [];
  #head = 0;
  #forgotten = 0;
  #trimAt = FIRST_TRIM;
  /** Whoever follows this table registers here for as long. */
  readonly readers = new Set<TableReader>();

  constructor(type: TypeUrl, { onDemand = false }: { onDemand?: boolean } = {}) {
    this.type = type;
    this.onDemand = onDemand;
  }

  /** The sequence number of the latest change; 0 when there has never been one. */
  get head(): number {
    return this.#head;
  }

  get size(): number {
    return this.#live.size;
  }

  get(name: string): EncodedResource | undefined {
    return this.#live.get(name);
  }

  /** The content that a removed resource had, as long as some reader has not passed its removal. */
  lastOf(name: string): EncodedResource | undefined {
    return this.#gone.get(name);
  }

  resources(): IterableIterator<EncodedResource> {
    return this.#live.values();
  }

  names(): IterableIterator<string> {
    return this.#live.keys();
  }

  /** Puts and removes; content that is equal isn't a change. Tells whether anything changed. */
  apply(put: Iterable<EncodedResource>, remove: Iterable<string> = []): boolean {
    const before = this.#head;
    for (const name of remove) {
      const old = this.#live.get(name);
      if (old === undefined) continue;
      this.#live.delete(name);
      this.#gone.set(name, old);
      this.#note(name);
    }
    for (const resource of put) {
      if (this.#live.get(resource.name)?.version === resource.version) continue;
      this.#live.set(resource.name, resource);
      this.#gone.delete(resource.name);
      this.#note(resource.name);
    }
    if (this.#log.length > 2 * this.#changedAt.size + 64) this.#compact();
    if (this.#gone.size > this.#trimAt) this.#trim();
    return this.#head !== before;
  }

  /** Sends a resource again to everyone: what they made of it may be another now. */
  touch(name: string): void {
    if (this.#live.has(name)) this.#note(name);
  }

  /** Makes the content exactly this. */
  replace(resources: readonly EncodedResource[]): boolean {
    const names = new Set(resources.map((resource) => resource.name));
    return this.apply(
      resources,
      [...this.#live.keys()].filter((name) => !names.has(name)),
    );
  }

  /** Changes after `sequence`, oldest first; undefined when removals since then are forgotten. */
  since(sequence: number): TableDelta | undefined {
    if (sequence < this.#forgotten) return undefined;
    const changed: EncodedResource[] = [];
    const removed: EncodedResource[] = [];
    for (let index = this.#firstAfter(sequence); index < this.#log.length; index++) {
      const entry = this.#log[index]!;
      if (this.#changedAt.get(entry.name) !== entry.sequence) continue;
      const live = this.#live.get(entry.name);
      const gone = this.#gone.get(entry.name);
      if (live !== undefined) changed.push(live);
      else if (gone !== undefined) removed.push(gone);
    }
    return { changed, removed };
  }

  /** Removed resources that are still remembered. */
  get remembered(): number {
    return this.#gone.size;
  }

  /** Forgets removals that all readers have passed, and more where a slow one lets them pile up. */
  #trim(): void {
    let slowest = this.#head;
    for (const reader of this.readers) {
      slowest = Math.min(slowest, reader.positionIn(this) ?? this.#head);
    }
    this.#forget(slowest);
    if (this.#gone.size > MAX_REMEMBERED + 2 * this.#live.size) this.#forget(this.#head);
    this.#trimAt = 2 * this.#gone.size + FIRST_TRIM;
  }

  #forget(sequence: number): void {
    this.#forgotten = Math.max(this.#forgotten, sequence);
    for (const name of this.#gone.keys()) {
      if ((this.#changedAt.get(name) ?? 0) > this.#forgotten) continue;
      this.#gone.delete(name);
      this.#changedAt.delete(name);
    }
  }

  #note(name: string): void {
    const sequence = ++this.#head;
    this.#changedAt.set(name, sequence);
    this.#log.push({ sequence, name });
  }

  #compact(): void {
    this.#log = this.#log.filter((entry) => this.#changedAt.get(entry.name) === entry.sequence);
  }

  #firstAfter(sequence: number): number {
    let low = 0;
    let high = this.#log.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#log[middle]!.sequence > sequence) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}
