import type { ASTNode } from "@marcbachmann/cel-js";
import { childrenOf, visit } from "./nodes.ts";
import type { Measured } from "./value.ts";

const LOOPS = new Set(["all", "exists", "exists_one", "existsOne", "map", "filter"]);
/** Functions that look at every element of a list. */
const SCANS = new Set(["isSorted", "sum", "min", "max", "indexOf", "lastIndexOf", "join"]);
/** Characters that cost as much as one step. */
const CHARACTERS_A_STEP = 64;

/**
 * A bound of the steps that an expression takes with these values: every loop is taken to run over
 * the longest list in them. Known before anything runs, so nothing has to be interrupted.
 */
export function costOf(ast: ASTNode, values: readonly Measured[]): number {
  const given = Math.max(1, ...values.map(({ longestList }) => longestList));
  const characters = Math.max(0, ...values.map(({ longestText }) => longestText));
  const { literal, sums, splits } = listsOf(ast);
  return cost(ast, {
    // A list that is made is no longer than those that it is made of.
    items: Math.max(given, literal, splits ? characters : 0) * (1 + sums),
    text: 1 + characters / CHARACTERS_A_STEP,
  });
}

function cost(node: ASTNode, size: { items: number; text: number }): number {
  const inner = (): number => childrenOf(node).reduce((sum, child) => sum + cost(child, size), 0);
  if (node.op === "rcall" && LOOPS.has(node.args[0])) {
    const [, range, body] = node.args;
    const each = body.reduce((sum, child) => sum + cost(child, size), 0);
    return cost(range, size) + size.items * (1 + each);
  }
  if (node.op === "in") return inner() + size.items;
  // Texts may be joined, and the whole is as long as its parts.
  if (node.op === "+") return inner() + size.text;
  if (node.op === "call" || node.op === "rcall") {
    const [name] = node.args;
    const scan = SCANS.has(name) ? size.items * (name === "join" ? size.text : 1) : 0;
    return inner() + size.text + scan;
  }
  return inner() + 1;
}

/** Lists that the expression makes itself. */
function listsOf(ast: ASTNode): { literal: number; sums: number; splits: boolean } {
  let [literal, sums, splits] = [0, 0, false];
  visit(ast, (node) => {
    if (node.op === "list" || node.op === "map") literal = Math.max(literal, node.args.length);
    if (node.op === "+") sums++;
    if (node.op === "rcall" && node.args[0] === "split") splits = true;
  });
  return { literal, sums, splits };
}
