/** Keys that wait to be reconciled (client-go's rate limiting workqueue). */

import { systemClock } from "./clock.ts";
import type { Clock } from "./clock.ts";

const BASE_DELAY_MS = 5;
const MAX_DELAY_MS = 15_000;

/**
 * Holds a key at most once, and never gives out a key that is being worked on: added meanwhile, it
 * comes back after `done`. So one key has one worker at a time, and its bound is the number of keys.
 */
export class WorkQueue {
  readonly #clock: Clock;
  readonly #ready: string[] = [];
  readonly #dirty = new Set<string>();
  readonly #active = new Set<string>();
  readonly #failures = new Map<string, number>();
  readonly #delayed = new Map<string, { dueMs: number; cancel: () => void }>();
  readonly #waiting: ((key: string | undefined) => void)[] = [];
  #closed = false;

  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
  }

  /** Keys ready to be taken. */
  get length(): number {
    return this.#ready.length;
  }

  /** Neither ready nor being worked on; delayed keys don't count. */
  get idle(): boolean {
    return this.#ready.length === 0 && this.#active.size === 0;
  }

  add(key: string): void {
    if (this.#closed || this.#dirty.has(key)) return;
    this.#dirty.add(key);
    if (!this.#active.has(key)) this.#offer(key);
  }

  /** Adds later; of several delays of one key the earliest counts. */
  addAfter(key: string, delayMs: number): void {
    if (this.#closed) return;
    if (delayMs <= 0) {
      this.add(key);
      return;
    }
    const dueMs = this.#clock.nowMs() + delayMs;
    const earlier = this.#delayed.get(key);
    if (earlier !== undefined && earlier.dueMs <= dueMs) return;
    earlier?.cancel();
    const cancel = this.#clock.setTimer(delayMs, () => {
      this.#delayed.delete(key);
      this.add(key);
    });
    this.#delayed.set(key, { dueMs, cancel });
  }

  /** Adds after a pause that doubles with every call until `forget`: 5 ms to 15 s. */
  addRateLimited(key: string): void {
    const failures = this.#failures.get(key) ?? 0;
    this.#failures.set(key, failures + 1);
    this.addAfter(key, Math.min(BASE_DELAY_MS * 2 ** Math.min(failures, 20), MAX_DELAY_MS));
  }

  forget(key: string): void {
    this.#failures.delete(key);
  }

  /** The next key, as soon as there is one; undefined after `close`. Call `done` with it. */
  take(): Promise<string | undefined> {
    if (this.#closed) return Promise.resolve(undefined);
    const key = this.#ready.shift();
    if (key !== undefined) return Promise.resolve(this.#activate(key));
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
    });
  }

  done(key: string): void {
    this.#active.delete(key);
    if (this.#dirty.has(key) && !this.#closed) this.#offer(key);
  }

  /** Drops everything; takers get undefined. */
  close(): void {
    this.#closed = true;
    for (const { cancel } of this.#delayed.values()) cancel();
    this.#delayed.clear();
    this.#ready.length = 0;
    this.#dirty.clear();
    for (const resolve of this.#waiting.splice(0)) resolve(undefined);
  }

  #offer(key: string): void {
    const taker = this.#waiting.shift();
    if (taker === undefined) this.#ready.push(key);
    else taker(this.#activate(key));
  }

  #activate(key: string): string {
    this.#dirty.delete(key);
    this.#active.add(key);
    return key;
  }
}
