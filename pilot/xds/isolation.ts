/**
 * Finds the resources that a client refuses. Envoy may refuse a response because of one resource in
 * it, and then has none of the others either: one bad virtual host would keep those of everybody
 * from every new proxy. So what was refused together is sent again in halves, until the bad one is
 * alone. With N resources that costs 2·log N more responses, and N more resources at most.
 */
export class Isolation {
  readonly #groups: string[][] = [];
  readonly #waiting = new Set<string>();

  /** Groups of resources that wait to be tried again. */
  get size(): number {
    return this.#groups.length;
  }

  /** Whether a resource is in one of them. */
  holds(name: string): boolean {
    return this.#waiting.has(name);
  }

  /** Notes what a refused response held; true if it can be divided, false if the culprit is found. */
  divide(names: readonly string[]): boolean {
    if (names.length < 2) return false;
    const middle = Math.ceil(names.length / 2);
    this.#groups.unshift(names.slice(0, middle), names.slice(middle));
    for (const name of names) this.#waiting.add(name);
    return true;
  }

  /** The names to send alone next; undefined when there are none. */
  take(): string[] | undefined {
    const group = this.#groups.shift();
    for (const name of group ?? []) this.#waiting.delete(name);
    return group;
  }
}
