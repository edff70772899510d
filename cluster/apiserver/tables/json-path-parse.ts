/** Parses the JSONPath of `json-path.ts` into steps. */

export type Operator = "==" | "!=" | "<" | "<=" | ">" | ">=" | "exists";

/** A filter's condition on an item: `left` is a path from it, `right` a literal. */
export interface Comparison {
  left: Step[];
  operator: Operator;
  right?: string | number | boolean | null;
}

export type Step =
  | { kind: "member"; name: string }
  | { kind: "index"; index: number }
  | { kind: "slice"; start: number; end: number | undefined }
  | { kind: "wildcard" }
  | { kind: "descend"; name: string }
  | { kind: "filter"; comparison: Comparison };

export type StepsResult = { ok: true; steps: Step[] } | { ok: false; message: string };

const MAX_LENGTH = 2048;

/** One step at the start of the text; the alternatives are the groups. */
const STEP = new RegExp(
  [
    String.raw`\.\.(?<descend>(?:[^.[\]\\\s]|\\.)+)`,
    String.raw`\.?(?<wildcard>\[\*\]|(?<=\.)\*)`,
    String.raw`\.?\[(?<index>-?\d{1,9})\]`,
    String.raw`\.?\[(?<start>-?\d{0,9}):(?<end>-?\d{0,9})\]`,
    String.raw`\.?\[(?:'(?<single>(?:[^'\\]|\\.)*)'|"(?<double>(?:[^"\\]|\\.)*)")\]`,
    String.raw`\.?\[\?\((?<filter>(?:[^()"']|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')*)\)\]`,
    String.raw`\.(?<member>(?:[^.[\]\\\s]|\\.)+)`,
  ].join("|"),
  "y",
);

const COMPARISON =
  /^\s*@(?<left>[^=!<>]*?)\s*(?:(?<operator>==|!=|<=|>=|<|>)\s*(?<right>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^\s"']+))?\s*$/;

/** The steps of a path with or without its leading dot, `$` or surrounding braces. */
export function parseSteps(path: string): StepsResult {
  const failure = { ok: false as const, message: `invalid JSONPath ${JSON.stringify(path)}` };
  if (path.length > MAX_LENGTH) return failure;
  let text = path.trim();
  if (text.startsWith("{") && text.endsWith("}")) text = text.slice(1, -1);
  if (text.startsWith("$")) text = text.slice(1);
  if (text === "" || text === ".") return { ok: true, steps: [] };
  if (!text.startsWith(".") && !text.startsWith("[")) text = `.${text}`;
  const steps: Step[] = [];
  STEP.lastIndex = 0;
  while (STEP.lastIndex < text.length) {
    const groups = STEP.exec(text)?.groups;
    const step = groups === undefined ? undefined : stepOf(groups);
    if (step === undefined) return failure;
    steps.push(step);
  }
  return { ok: true, steps };
}

function stepOf(groups: Record<string, string | undefined>): Step | undefined {
  const { descend, wildcard, index, start, end, single, double, filter, member } = groups;
  if (descend !== undefined) return { kind: "descend", name: unescape(descend) };
  if (wildcard !== undefined) return { kind: "wildcard" };
  if (index !== undefined) return { kind: "index", index: Number(index) };
  if (start !== undefined) {
    const last = end === undefined || end === "" ? undefined : Number(end);
    return { kind: "slice", start: start === "" ? 0 : Number(start), end: last };
  }
  const quoted = single ?? double;
  if (quoted !== undefined) return { kind: "member", name: unescape(quoted) };
  if (filter !== undefined) return filterStep(filter);
  return member === undefined ? undefined : { kind: "member", name: unescape(member) };
}

function filterStep(text: string): Step | undefined {
  const groups = COMPARISON.exec(text)?.groups;
  if (groups === undefined) return undefined;
  const { left = "", operator, right } = groups;
  // A filter's own path is parsed with the same sticky expression: keep its place.
  const place = STEP.lastIndex;
  const parsed = parseSteps(left);
  STEP.lastIndex = place;
  if (!parsed.ok) return undefined;
  if (operator === undefined || right === undefined) {
    return { kind: "filter", comparison: { left: parsed.steps, operator: "exists" } };
  }
  const value = literal(right);
  if (value === undefined) return undefined;
  const comparison = { left: parsed.steps, operator: operator as Operator, right: value };
  return { kind: "filter", comparison };
}

function literal(text: string): string | number | boolean | null | undefined {
  if (text.startsWith('"') || text.startsWith("'")) return unescape(text.slice(1, -1));
  if (text === "true" || text === "false") return text === "true";
  if (text === "null" || text === "nil") return null;
  const number = Number(text);
  return Number.isNaN(number) ? undefined : number;
}

function unescape(text: string): string {
  return text.replaceAll(/\\(.)/g, "$1");
}
