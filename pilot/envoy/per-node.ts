/** Memory of what an immutable IR node became; it dies with the node. */

/** `build`, once a node (and, where one node becomes several things, a key). */
export function perNode<N extends object, R>(
  build: (node: N, key: string) => R,
): (node: N, key?: string) => R {
  const memory = new WeakMap<N, R>();
  const keyed = new WeakMap<N, Map<string, R>>();
  return (node, key = "") => {
    let known = key === "" ? memory.get(node) : keyed.get(node)?.get(key);
    if (known !== undefined) return known;
    known = build(node, key);
    if (key === "") memory.set(node, known);
    else keyed.set(node, (keyed.get(node) ?? new Map<string, R>()).set(key, known));
    return known;
  };
}
