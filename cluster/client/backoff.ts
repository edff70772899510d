/** Growing pauses between tries. */
export class Backoff {
  readonly #baseMs: number;
  readonly #maxMs: number;
  #failures = 0;

  constructor(limits: { baseMs: number; maxMs: number }) {
    this.#baseMs = limits.baseMs;
    this.#maxMs = limits.maxMs;
  }

  /** The pause before the next try: doubles up to the maximum, with ±25 % of jitter. */
  nextMs(): number {
    const exponent = Math.min(this.#failures, 30);
    this.#failures += 1;
    const plain = Math.min(this.#baseMs * 2 ** exponent, this.#maxMs);
    return plain * (0.75 + Math.random() / 2);
  }

  reset(): void {
    this.#failures = 0;
  }
}
