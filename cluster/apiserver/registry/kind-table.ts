/** The kinds that are served now: the built-in rows, and those of established CRDs. */

import type { Kind } from "#cluster/apiserver/kinds/kind.ts";

export class KindTable {
  readonly #builtIn: readonly Kind[];
  /** By name of the CustomResourceDefinition, in order of its versions. */
  readonly #custom = new Map<string, readonly Kind[]>();
  #byPath = new Map<string, Kind>();
  #all: readonly Kind[] = [];
  #generation = 0;

  constructor(builtIn: readonly Kind[]) {
    this.#builtIn = builtIn;
    this.#rebuild();
  }

  /** Changes whenever the set of rows does; what is made from the rows is cached by it. */
  get generation(): number {
    return this.#generation;
  }

  /** Built-in rows first, then custom ones by name of their definition. */
  get all(): readonly Kind[] {
    return this.#all;
  }

  find(group: string, version: string, plural: string): Kind | undefined {
    return this.#byPath.get(`${group}/${version}/${plural}`);
  }

  /** Any served version of a resource. */
  findResource(group: string, plural: string): Kind | undefined {
    return this.#all.find((kind) => kind.group === group && kind.plural === plural);
  }

  ofDefinition(name: string): readonly Kind[] {
    return this.#custom.get(name) ?? [];
  }

  setCustom(definition: string, kinds: readonly Kind[]): void {
    this.#custom.set(definition, kinds);
    this.#rebuild();
  }

  removeCustom(definition: string): void {
    if (this.#custom.delete(definition)) this.#rebuild();
  }

  #rebuild(): void {
    const names = [...this.#custom.keys()].toSorted();
    this.#all = [...this.#builtIn, ...names.flatMap((name) => this.#custom.get(name) ?? [])];
    this.#byPath = new Map(
      this.#all.map((kind) => [`${kind.group}/${kind.version}/${kind.plural}`, kind]),
    );
    this.#generation += 1;
  }
}
