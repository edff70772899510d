/**
 * A list of IR nodes kept in pieces by key, so that a change rebuilds only the pieces it is about
 * and says which nodes came and went. The list itself is put together when someone reads it.
 */

import type { IrProblem } from "#pilot/ir/scope-ir.ts";
import { compareText } from "#pilot/model/object.ts";
import type { Translated } from "./result.ts";
import { sameFields } from "./reuse.ts";

/** Nodes that are no longer in a list, and those that newly are; a changed one is in both. */
export interface NodeChanges<N> {
  readonly gone: readonly N[];
  readonly fresh: readonly N[];
}

/** A list as functions of the world: which keys there are, and what belongs to each. */
export interface KeyedSource<N> {
  readonly keys: () => Iterable<string>;
  /** A key without anything gives no nodes. */
  readonly build: (key: string) => Translated<readonly N[]>;
}

/** Pieces in the order of their keys; no two pieces hold nodes of one name. */
export class KeyedList<N extends object> {
  readonly #nameOf: (node: N) => string;
  readonly #pieces = new Map<string, Translated<readonly N[]>>();
  /** Of the few pieces that have any. */
  readonly #problems = new Map<string, readonly IrProblem[]>();
  #nodes: readonly N[] | undefined;

  constructor(nameOf: (node: N) => string) {
    this.#nameOf = nameOf;
  }

  get nodes(): readonly N[] {
    this.#nodes ??= byKey(this.#pieces).flatMap((piece) => piece.value);
    return this.#nodes;
  }

  problems(): IrProblem[] {
    return byKey(this.#problems).flat();
  }

  /** Builds some pieces again, or all; nodes that equal their predecessors stay the same objects. */
  update(source: KeyedSource<N>, extent: "all" | Iterable<string>): NodeChanges<N> {
    const keys = extent === "all" ? new Set([...this.#pieces.keys(), ...source.keys()]) : extent;
    const gone: N[] = [];
    const fresh: N[] = [];
    for (const key of keys) {
      const before = this.#pieces.get(key);
      const made = source.build(key);
      if (made === before) continue;
      const value = before === undefined ? made.value : this.#reuse(before.value, made.value);
      if (value.length === 0 && made.problems.length === 0) this.#pieces.delete(key);
      else this.#pieces.set(key, value === made.value ? made : { ...made, value });
      noteProblems(this.#problems, key, made.problems);
      noteChanges(before?.value ?? NONE, value, { gone, fresh });
    }
    if (gone.length > 0 || fresh.length > 0) this.#nodes = undefined;
    return { gone, fresh };
  }

  #reuse(before: readonly N[], made: readonly N[]): readonly N[] {
    if (before === made) return made;
    const known = new Map(before.map((node) => [this.#nameOf(node), node]));
    return made.map((node) => {
      const old = known.get(this.#nameOf(node));
      return old !== undefined && sameFields(old, node) ? old : node;
    });
  }
}

/** Keeps the problems of a key, if there are any. */
export function noteProblems(
  all: Map<string, readonly IrProblem[]>,
  key: string,
  problems: readonly IrProblem[],
): void {
  if (problems.length > 0) all.set(key, problems);
  else all.delete(key);
}

/** The values of a map in the order of its keys. */
export function byKey<V>(map: ReadonlyMap<string, V>): V[] {
  return [...map].toSorted(([left], [right]) => compareText(left, right)).map(([, value]) => value);
}

const NONE: readonly never[] = [];

function noteChanges<N>(
  before: readonly N[],
  after: readonly N[],
  { gone, fresh }: { gone: N[]; fresh: N[] },
): void {
  if (before.length === 0) {
    for (const node of after) fresh.push(node);
    return;
  }
  const [old, current] = [new Set(before), new Set(after)];
  for (const node of before) if (!current.has(node)) gone.push(node);
  for (const node of after) if (!old.has(node)) fresh.push(node);
}

/** A list without keys, as one piece. */
export function wholeList<N>(build: () => Translated<readonly N[]>): KeyedSource<N> {
  return { keys: () => [""], build: (key) => (key === "" ? build() : NOTHING) };
}

const NOTHING: Translated<readonly never[]> = { value: [], problems: [] };
