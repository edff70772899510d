import type { EncodedResource } from "#pilot/cache/resource.ts";

/**
 * Resources without the patches of users, for a client that refuses them with: else a proxy that
 * starts would lack the resource altogether. A client that has once accepted patches keeps what it
 * has: they may be there to protect something.
 */
export class Substitutes {
  /** Versions by name: of patched resources that were accepted or brought along. */
  readonly #held = new Map<string, string>();
  readonly #current = new Map<string, EncodedResource>();
  readonly #waiting: EncodedResource[] = [];

  /** How many wait to be sent. */
  get size(): number {
    return this.#waiting.length;
  }

  /** What the client has instead of a resource, or is about to get. */
  get(name: string): EncodedResource | undefined {
    return this.#current.get(name);
  }

  /** Notes what a reconnected client has of a patched resource. */
  hold(name: string, version: string): void {
    this.#held.set(name, version);
  }

  accepted(resources: readonly EncodedResource[]): void {
    for (const { name, version, isPatched } of resources) {
      if (isPatched === true) this.#held.set(name, version);
    }
  }

  /** Offers the other form of a refused resource; false where the client keeps what it has. */
  offer(resource: EncodedResource): boolean {
    const { name, version } = resource;
    if ((this.#held.get(name) ?? version) !== version) return false;
    this.#held.delete(name);
    this.#current.set(name, resource);
    this.#waiting.push(resource);
    return true;
  }

  /** The next to be sent, alone. */
  take(): EncodedResource[] | undefined {
    const next = this.#waiting.shift();
    return next && [next];
  }

  /** The client has refused this too; false if it is none of these. */
  refused(resource: EncodedResource | undefined): boolean {
    if (resource === undefined || this.#current.get(resource.name) !== resource) return false;
    this.#current.delete(resource.name);
    return true;
  }

  /** The resource itself is sent again. */
  withdraw(name: string): void {
    if (!this.#current.delete(name)) return;
    const at = this.#waiting.findIndex((one) => one.name === name);
    if (at >= 0) this.#waiting.splice(at, 1);
  }

  /** The resource is gone or no longer wanted. */
  forget(name: string): void {
    this.#held.delete(name);
    this.withdraw(name);
  }
}
