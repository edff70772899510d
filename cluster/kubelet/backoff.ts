/** Growing pauses before something that failed is tried again (client-go's flowcontrol.Backoff). */

const BASE_MS = 10_000;
const MAX_MS = 300_000;
/** A key that has been quiet for this long begins anew. */
const RESET_MS = 600_000;
const MAX_KEYS = 10_000;

interface Entry {
  delayMs: number;
  updatedMs: number;
}

/** 10 s, doubling to 5 min, by key. A key without an entry doesn't wait. */
export class RestartBackoff {
  readonly #entries = new Map<string, Entry>();

  /**
   * How long to wait still after a failure at `failedAtMs` (by default: when the pause was last
   * lengthened). A container that ran for ten minutes before it failed begins anew.
   */
  remainingMs(key: string, nowMs: number, failedAtMs?: number): number {
    const entry = this.#entries.get(key);
    if (entry === undefined) return 0;
    const since = failedAtMs ?? entry.updatedMs;
    if (since - entry.updatedMs > RESET_MS || nowMs - since > RESET_MS) {
      this.#entries.delete(key);
      return 0;
    }
    return Math.max(0, since + entry.delayMs - nowMs);
  }

  /** The present pause of a key; 0 when it has none. */
  delayMs(key: string): number {
    return this.#entries.get(key)?.delayMs ?? 0;
  }

  /** The next pause of the key is 10 s, or double the last. */
  lengthen(key: string, nowMs: number): void {
    const previous = this.#entries.get(key)?.delayMs;
    const delayMs = previous === undefined ? BASE_MS : Math.min(previous * 2, MAX_MS);
    this.#entries.delete(key);
    this.#entries.set(key, { delayMs, updatedMs: nowMs });
    const oldest = this.#entries.keys().next();
    if (this.#entries.size > MAX_KEYS && oldest.done !== true) this.#entries.delete(oldest.value);
  }

  /** Drops all keys that begin so, for example those of a pod. */
  forget(prefix: string): void {
    for (const key of this.#entries.keys()) {
      if (key.startsWith(prefix)) this.#entries.delete(key);
    }
  }
}

/** A duration as Go prints it: `10s`, `1m20s`, `5m0s`. */
export function goDuration(ms: number): string {
  const seconds = Math.round(ms / 1000);
  return seconds < 60 ? `${seconds}s` : `${Math.trunc(seconds / 60)}m${seconds % 60}s`;
}
