/** The syntax tree of the CEL library, walked without knowing every operator. */

import type { ASTNode } from "@marcbachmann/cel-js";

/** The nodes that a node is made of. */
export function childrenOf(node: ASTNode): readonly ASTNode[] {
  const children: ASTNode[] = [];
  const collect = (value: unknown): void => {
    if (Array.isArray(value)) value.forEach(collect);
    else if (isNode(value)) children.push(value);
  };
  collect(node.args);
  return children;
}

/** Looks at a node and everything below it. */
export function visit(node: ASTNode, look: (node: ASTNode) => void): void {
  look(node);
  for (const child of childrenOf(node)) visit(child, look);
}

function isNode(value: unknown): value is ASTNode {
  return typeof value === "object" && value !== null && "op" in value && "args" in value;
}
