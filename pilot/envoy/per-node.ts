/** Memory of what an immutable IR node became; it dies with the node. */

/** `build`, once a node (and, where one node becomes several things, a key). */
export function perNode<N extends object, R>(
  build: (node: N, key: string) => R,
): (node: N, key?: string) => R {
  const memory = new WeakMap<N, Map<string, R>>();
  return (node, key = "") => {
    let made = memory.get(node);
    if (made === undefined) {
      made = new Map();
      memory.set(node, made);
    }
    let result = made.get(key);
    if (result === undefined) {
      result = build(node, key);
      made.set(key, result);
    }
    return result;
  };
}
