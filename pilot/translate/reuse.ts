/** Telling that a node is what it was before. */

/** Equality by value that stops early wherever identity already tells. */
export function sameFields(left: object, right: object): boolean {
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
