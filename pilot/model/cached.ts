/** Memory of pure functions over immutable objects. */

/**
 * `build` with a memory that hangs off its first argument and dies with it. Inputs are compared by
 * identity, lists element by element; a function so wrapped sees nothing but its inputs, so it
 * cannot be wrong about what it depends on. At most `variants` results are kept for one owner,
 * newest first.
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
    const at = entries.findIndex((entry) => sameList(entry.inputs, inputs));
    const found = at < 0 ? undefined : entries[at];
    if (found !== undefined) return found.result;
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
