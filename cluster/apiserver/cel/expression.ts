/** CEL expressions as Kubernetes' API has them: compiled once, evaluated within a bound. */

import { Environment, parse } from "@marcbachmann/cel-js";
import type { ASTNode } from "@marcbachmann/cel-js";
import { LRUCache } from "lru-cache";
import { costOf } from "./cost.ts";
import { visit } from "./nodes.ts";
import { LIBRARY_NAMES, registerLibrary } from "./library.ts";
import type { Measured } from "./value.ts";

/** Kubernetes' limits (apiserver/apis/cel): of one evaluation, and of all for one object. */
const MAX_COST = 1_000_000;
export const MAX_TOTAL_COST = 10_000_000;
const MAX_LENGTH = 16_384;

export type CelResult =
  { ok: true; value: unknown; cost: number } | { ok: false; message: string; cost: number };

export interface Expression {
  /** Variables that it names. */
  readonly variables: ReadonlySet<string>;
  /** Never throws: an error of the expression is a result. */
  evaluate(variables: Readonly<Record<string, Measured>>): CelResult;
}

export type CompiledExpression =
  { ok: true; expression: Expression } | { ok: false; message: string };

/** One for each set of variables that expressions may name. */
export interface CelEnvironment {
  compile(text: string): CompiledExpression;
}

/** Rules of schemas: the value, and on updates the one before. */
export const RULE_ENVIRONMENT = environmentOf(["self", "oldSelf"]);

/** Conditions of webhooks. */
export const ADMISSION_ENVIRONMENT = environmentOf(["object", "oldObject", "request"]);

function environmentOf(variables: readonly string[]): CelEnvironment {
  const environment = new Environment({
    enableOptionalTypes: true,
    homogeneousAggregateLiterals: false,
    limits: { maxAstNodes: 2000, maxDepth: 100 },
  });
  for (const name of variables) environment.registerVariable(name, "dyn");
  registerLibrary(environment);
  const compiled = new LRUCache<string, CompiledExpression>({ max: 2000 });
  return {
    compile(text) {
      const known = compiled.get(text);
      if (known !== undefined) return known;
      const result = compile(environment, text, variables);
      compiled.set(text, result);
      return result;
    },
  };
}

function compile(
  environment: Environment,
  text: string,
  variables: readonly string[],
): CompiledExpression {
  if (text.length > MAX_LENGTH) {
    return { ok: false, message: `must be at most ${MAX_LENGTH} characters long` };
  }
  try {
    const { ast } = parse(text);
    const parsed = environment.parse(withOwnLibrary(text, ast));
    const check = parsed.check();
    if (!check.valid) return { ok: false, message: firstLine(check.error) };
    return {
      ok: true,
      expression: {
        variables: namesIn(ast, new Set(variables)),
        evaluate(given) {
          const cost = costOf(ast, Object.values(given));
          if (cost > MAX_COST) {
            const message = "operation cancelled: actual cost limit exceeded";
            return { ok: false, message, cost: 0 };
          }
          const values = Object.fromEntries(
            Object.entries(given).map(([name, { value }]) => [name, value]),
          );
          try {
            return { ok: true, value: parsed(values) as unknown, cost };
          } catch (error) {
            return { ok: false, message: firstLine(error), cost };
          }
        },
      },
    };
  } catch (error) {
    return { ok: false, message: firstLine(error) };
  }
}

/** Calls of functions that the library has in a way which isn't safe here go to ours. */
function withOwnLibrary(text: string, ast: ASTNode): string {
  const edits: { start: number; end: number; name: string }[] = [];
  visit(ast, (node) => {
    if (node.op !== "call" && node.op !== "rcall") return;
    const [name] = node.args;
    const own = LIBRARY_NAMES.get(name);
    if (own === undefined) return;
    const from = node.op === "call" ? node.start : node.args[1].end;
    const start = text.indexOf(name, from);
    edits.push({ start, end: start + name.length, name: own });
  });
  let result = text;
  for (const { start, end, name } of edits.toSorted((a, b) => b.start - a.start)) {
    result = result.slice(0, start) + name + result.slice(end);
  }
  return result;
}

function namesIn(ast: ASTNode, variables: ReadonlySet<string>): ReadonlySet<string> {
  const names = new Set<string>();
  visit(ast, (node) => {
    if (node.op === "id" && variables.has(node.args)) names.add(node.args);
  });
  return names;
}

function firstLine(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.split("\n", 1)[0] ?? "";
}
