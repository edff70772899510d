/** How many events are taken in one turn of the event loop; at some 20 µs each, a few ms. */
const BURST = 512;

/**
 * Events of all sources, in order. Few at a time are handled at once; of a burst the rest waits for
 * following turns of the event loop, so that streams, watches and timers get theirs in between.
 */
export class EventQueue<E> {
  readonly #handle: (event: E) => void;
  #waiting: E[] = [];
  #taken = 0;
  #scheduled = false;
  #busy = false;
  #idle: (() => void)[] = [];

  constructor(handle: (event: E) => void) {
    this.#handle = handle;
  }

  add(event: E): void {
    if (this.#busy || this.#waiting.length > 0 || this.#taken >= BURST) {
      this.#waiting.push(event);
      this.#schedule();
    } else this.#take([event]);
  }

  /** Resolves when everything that has been added is handled. */
  drained(): Promise<void> {
    if (this.#waiting.length === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#taken = 0;
      this.#take(this.#waiting.splice(0, BURST));
      if (this.#waiting.length > 0) return;
      for (const resolve of this.#idle.splice(0)) resolve();
    });
  }

  /** What handling an event adds waits for its turn. */
  #take(events: readonly E[]): void {
    this.#taken += events.length;
    if (this.#taken > 0 || this.#waiting.length > 0) this.#schedule();
    this.#busy = true;
    try {
      for (const event of events) this.#handle(event);
    } finally {
      this.#busy = false;
    }
  }
}
