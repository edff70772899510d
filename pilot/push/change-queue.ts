import { keyOfChange } from "#pilot/model/change.ts";
import type { Change } from "#pilot/model/change.ts";
import type { ObjectKey } from "#pilot/model/name.ts";

/** A pause after a batch is as long as the batch took, but never longer than this. */
const MAX_PAUSE_MS = 100;

/** Time as the queue needs it; tests bring their own. */
export interface QueueClock {
  /** Milliseconds, monotonic. */
  now(): number;
  /** Runs something later, at the earliest when the present work is done. */
  after(ms: number, run: () => void): void;
}

export const SYSTEM_CLOCK: QueueClock = {
  now: () => performance.now(),
  after(ms, run) {
    if (ms <= 0) setImmediate(run);
    else setTimeout(run, ms).unref();
  },
};

/**
 * Gathers changes into batches: an isolated change goes on at once; while changes keep coming, half
 * of the time is left to them, so batches grow with the load. It holds one change an object, the
 * last, and is so bounded by the size of the world.
 */
export class ChangeQueue {
  readonly #clock: QueueClock;
  readonly #handle: (changes: readonly Change[], sinceMs: number) => void;
  #waiting = new Map<ObjectKey, Change>();
  #since = 0;
  #scheduled = false;
  #running = false;
  #notBefore = 0;

  /** `handle` gets each batch with the time at which its first change came. It must not throw. */
  constructor(
    handle: (changes: readonly Change[], sinceMs: number) => void,
    clock: QueueClock = SYSTEM_CLOCK,
  ) {
    this.#handle = handle;
    this.#clock = clock;
  }

  /** Changes wait until this is called: the first batch is the whole of the initial state. */
  start(): void {
    this.#running = true;
    this.#schedule();
  }

  get length(): number {
    return this.#waiting.size;
  }

  add(changes: readonly Change[]): void {
    if (changes.length === 0) return;
    if (this.#waiting.size === 0) this.#since = this.#clock.now();
    for (const change of changes) this.#waiting.set(keyOfChange(change), change);
    this.#schedule();
  }

  /** Handles what waits now. */
  flush(): void {
    if (this.#waiting.size === 0) return;
    const changes = [...this.#waiting.values()];
    const since = this.#since;
    this.#waiting = new Map();
    const begun = this.#clock.now();
    this.#handle(changes, since);
    const ended = this.#clock.now();
    this.#notBefore = ended + Math.min(ended - begun, MAX_PAUSE_MS);
  }

  #schedule(): void {
    if (this.#scheduled || !this.#running || this.#waiting.size === 0) return;
    this.#scheduled = true;
    this.#clock.after(this.#notBefore - this.#clock.now(), () => {
      this.#scheduled = false;
      this.flush();
      this.#schedule();
    });
  }
}
