/** How far changes have come: for each object, how many of the proxies that it concerns live by it. */

import { OriginIndex } from "./origin-index.ts";
import type { ScopeTables } from "./origin-index.ts";

/** A connected proxy; the same object for as long as it is connected. */
export interface ConnectedProxy {
  readonly proxyId: string;
  readonly states: readonly ScopeTables[];
}

/** A change that went out to proxies. */
export interface Push {
  /** Keys of the objects that changed. */
  objects: readonly string[];
  /** Proxies that were told that there is something new. */
  reached: Iterable<ConnectedProxy>;
  /** When the change arrived, in milliseconds of the same clock as `now`. */
  sinceMs: number;
}

/** What is known of one object. */
export interface Figure {
  /** Proxies that are told something that comes from it. */
  proxies: number;
  /** Those of them that have acknowledged it. */
  live: number;
  /** Until the last of them had; absent while some have not, and where there was nothing to do. */
  afterMs?: number;
}

export interface ConvergenceOptions {
  connections: () => Iterable<ConnectedProxy>;
  /** Milliseconds, monotonic. */
  now: () => number;
  /** Something may be live now that wasn't before. */
  onProgress: () => void;
}

interface OpenPush {
  readonly sinceMs: number;
  readonly waiting: Set<ConnectedProxy>;
  /** When each proxy was done, after `sinceMs`. */
  readonly doneMs: Map<ConnectedProxy, number>;
}

/** Pushes that some proxy hasn't acknowledged; older ones count as part of the oldest of these. */
const MAX_OPEN = 256;

/**
 * Nothing is done while a push is under way but noting who was told. A proxy that acknowledges
 * leaves one set for each push that is still open, mostly one.
 */
export class ConvergenceTracker {
  readonly #options: ConvergenceOptions;
  readonly #origins = new OriginIndex();
  /** The latest push of each object. */
  readonly #latest = new Map<string, OpenPush>();
  readonly #open = new Set<OpenPush>();

  constructor(options: ConvergenceOptions) {
    this.#options = options;
  }

  pushed({ objects, reached, sinceMs }: Push): void {
    const push: OpenPush = { sinceMs, waiting: new Set(reached), doneMs: new Map() };
    for (const object of objects) this.#latest.set(object, push);
    if (push.waiting.size === 0) return;
    this.#open.add(push);
    const [oldest] = this.#open;
    if (this.#open.size > MAX_OPEN && oldest !== undefined) this.#merge(oldest);
  }

  /** The proxy has acknowledged everything that it has been sent. */
  converged(proxy: ConnectedProxy): void {
    let done = false;
    for (const push of this.#open) {
      if (!push.waiting.delete(proxy)) continue;
      push.doneMs.set(proxy, this.#options.now() - push.sinceMs);
      if (push.waiting.size === 0) {
        this.#open.delete(push);
        done = true;
      }
    }
    if (done) this.#options.onProgress();
  }

  /** Proxies that have gone have nothing to acknowledge; to be called now and then. */
  forgetGone(): void {
    const connected = new Set(this.#options.connections());
    for (const push of this.#open) {
      for (const proxy of push.waiting) if (!connected.has(proxy)) push.waiting.delete(proxy);
      if (push.waiting.size === 0) this.#open.delete(push);
    }
  }

  /** What all proxies have acknowledged needs no more room than that; their times are forgotten. */
  forgetDone(): void {
    for (const [object, push] of this.#latest) {
      if (push.waiting.size === 0) this.#latest.delete(object);
    }
  }

  /** An object is of no further interest: it has gone. */
  forget(object: string): void {
    this.#latest.delete(object);
  }

  figure(object: string): Figure {
    const push = this.#latest.get(object);
    const concerned = this.#concerned(object, push);
    let live = 0;
    let afterMs = 0;
    for (const proxy of concerned) {
      if (push?.waiting.has(proxy) === true) continue;
      live++;
      afterMs = Math.max(afterMs, push?.doneMs.get(proxy) ?? 0);
    }
    const told = live === concerned.length && afterMs > 0;
    return { proxies: concerned.length, live, ...(told ? { afterMs } : {}) };
  }

  /** Connected proxies whose configuration comes from the object, or did until its last change. */
  #concerned(object: string, push: OpenPush | undefined): ConnectedProxy[] {
    const byScope = new Map<ScopeTables, boolean>();
    const isConcerned = (state: ScopeTables): boolean => {
      const known = byScope.get(state) ?? this.#origins.isConcerned(state, object);
      byScope.set(state, known);
      return known;
    };
    const connected = [...this.#options.connections()];
    const concerned = connected.filter(({ states }) => states.some(isConcerned));
    // What leaves no trace (its last resource went, an entry among endpoints) is live when all are.
    if (concerned.length > 0 || push === undefined) return concerned;
    return connected.filter((proxy) => push.waiting.has(proxy));
  }

  #merge(oldest: OpenPush): void {
    this.#open.delete(oldest);
    const [next] = this.#open;
    if (next === undefined) return;
    for (const proxy of oldest.waiting) next.waiting.add(proxy);
    for (const [object, push] of this.#latest) if (push === oldest) this.#latest.set(object, next);
  }
}
