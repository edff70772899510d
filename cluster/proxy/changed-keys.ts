/** Keys waiting to be looked at, each once: a burst of changes of one Service is one look. */
export class ChangedKeys {
  readonly #keys = new Set<string>();
  readonly #signal: AbortSignal;
  #wake: () => void = () => undefined;

  constructor(signal: AbortSignal) {
    this.#signal = signal;
    signal.addEventListener("abort", () => this.#wake(), { once: true });
  }

  add(key: string): void {
    this.#keys.add(key);
    this.#wake();
  }

  /** The longest waiting keys, at most `limit`. */
  take(limit: number): string[] {
    const taken = [...this.#keys.values().take(limit)];
    for (const key of taken) this.#keys.delete(key);
    return taken;
  }

  /**
   * Until there is a key or the signal aborts. What else comes in the same turn of the event loop
   * is then there as well.
   */
  async wait(): Promise<void> {
    if (this.#keys.size === 0 && !this.#signal.aborted) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
}
