/** Keeping the identity of what did not change between two translations of one scope. */

/**
 * `next` with every element that equals its namesake of before (field by field) replaced by that
 * one.
 */
export function reuseByName<T extends { readonly name: string }>(
  previous: readonly T[] | undefined,
  next: readonly T[],
): readonly T[] {
  if (previous === undefined) return next;
  const before = new Map(previous.map((one) => [one.name, one]));
  return next.map((one) => {
    const old = before.get(one.name);
    return old !== undefined && sameFields(old, one) ? old : one;
  });
}

/** Equality by value that stops early wherever identity already tells. */
function sameFields(left: object, right: object): boolean {
  const fields = new Map<string, unknown>(Object.entries(left));
  const others = Object.entries(right);
  return (
    fields.size === others.length &&
    others.every(([name, value]) => fields.has(name) && sameValue(fields.get(name), value))
  );
}

function sameValue(left: unknown, right: unknown): boolean {
  if (left === right) return true;
  if (Array.isArray(left) && Array.isArray(right)) {
    return left.length === right.length && left.every((one, at) => sameValue(one, right[at]));
  }
  if (typeof left !== "object" || left === null || typeof right !== "object" || right === null) {
    return false;
  }
  return !Array.isArray(left) && !Array.isArray(right) && sameFields(left, right);
}
