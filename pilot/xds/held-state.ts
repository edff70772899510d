import type { EncodedResource } from "#pilot/cache/resource.ts";

/** Everything of a type that a client holds, in lists that its class shares. */
export type WholeState = readonly (readonly EncodedResource[])[];

/**
 * What a state-of-the-world client holds of a type whose responses carry everything. To leave a
 * refused change out of the next response, that must have in its place what the client had: nothing
 * there would take it away.
 */
export class HeldState {
  #lists: WholeState = [];
  #byName: Map<string, EncodedResource> | undefined;

  accept(lists: WholeState): void {
    this.#lists = lists;
    this.#byName = undefined;
  }

  get(name: string): EncodedResource | undefined {
    this.#byName ??= new Map(this.#lists.flatMap((list) => list.map((one) => [one.name, one])));
    return this.#byName.get(name);
  }
}
