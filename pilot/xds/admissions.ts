/** Time as admissions need it; tests bring their own. */
export interface AdmissionClock {
  /** Milliseconds, monotonic. */
  now(): number;
  after(ms: number, run: () => void): void;
}

const SYSTEM_CLOCK: AdmissionClock = {
  now: () => performance.now(),
  after: (ms, run) => void setTimeout(run, ms).unref(),
};

/**
 * Lets newcomers in one by one, so many a second, and so many at once after a quiet time. When
 * thousands come back together, those that are being served go on being served between them. Who
 * gives up while it waits is let go.
 */
export class Admissions {
  readonly #perSecond: number;
  readonly #burst: number;
  readonly #clock: AdmissionClock;
  readonly #waiting = new Set<() => void>();
  #tokens: number;
  #countedAt: number;
  #scheduled = false;

  constructor(limits: { perSecond: number; burst: number }, clock: AdmissionClock = SYSTEM_CLOCK) {
    this.#perSecond = limits.perSecond;
    this.#burst = limits.burst;
    this.#clock = clock;
    this.#tokens = limits.burst;
    this.#countedAt = clock.now();
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /** Runs it now, or when its turn has come; the result takes it back. */
  enter(run: () => void): () => void {
    this.#refill();
    if (this.#waiting.size === 0 && this.#tokens >= 1) {
      this.#tokens--;
      run();
      return () => undefined;
    }
    this.#waiting.add(run);
    this.#schedule();
    return () => this.#waiting.delete(run);
  }

  #refill(): void {
    const now = this.#clock.now();
    const grown = ((now - this.#countedAt) * this.#perSecond) / 1000;
    this.#tokens = Math.min(this.#burst, this.#tokens + grown);
    this.#countedAt = now;
  }

  #schedule(): void {
    if (this.#scheduled || this.#waiting.size === 0) return;
    this.#scheduled = true;
    this.#clock.after(Math.ceil(1000 / this.#perSecond), () => {
      this.#scheduled = false;
      this.#refill();
      for (const run of this.#waiting) {
        if (this.#tokens < 1) break;
        this.#tokens--;
        this.#waiting.delete(run);
        run();
      }
      this.#schedule();
    });
  }
}
