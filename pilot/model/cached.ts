/** Memory of pure functions over immutable objects. */

/**
 * `build` with a memory that hangs off its first argument and dies with it. Inputs are compared by
 * identity, lists element by element; a function so wrapped sees nothing but its inputs, so it
 * cannot be wrong about what it depends on. At most `variants` results are kept for one owner, the
 * latest used first.
 */
export function cached<O extends object, A extends readonly unknown[], R>(
  build: (owner: O, ...inputs: A) => R,
  variants = 64,
): (owner: O, ...inputs: A) => R {
  const memory = new WeakMap<O, { inputs: A; result: R }[]>();
  return (owner, ...inputs) => {
    let entries = memory.get(owner);
    if (entries === undefined) {
      entries = [];
      memory.set(owner, entries);
    }
    for (let at = 0; at < entries.length; at++) {
      const entry = entries[at]!;
      if (!sameList(entry.inputs, inputs)) continue;
      // The same is mostly asked for again.
      if (at > 0) entries.unshift(...entries.splice(at, 1));
      return entry.result;
    }
    const result = build(owner, ...inputs);
    entries.unshift({ inputs, result });
    if (entries.length > variants) entries.pop();
    return result;
  };
}

function sameList(left: readonly unknown[], right: readonly unknown[]): boolean {
  if (left.length !== right.length) return false;
  for (let at = 0; at < left.length; at++) {
    if (!sameInput(left[at], right[at])) return false;
  }
  return true;
}

function sameInput(left: unknown, right: unknown): boolean {
  if (Object.is(left, right)) return true;
  return Array.isArray(left) && Array.isArray(right) && sameList(left, right);
}
