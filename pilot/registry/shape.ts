/** Whether untyped data has the shape that a type promises. */

/**
 * `integer` is a whole number of 32 bits, `count` one from 0, `port` one from 1 to 65535. One-element lists are lists,
 * `oneOf` is a choice of values, objects are objects: a field's name with `!` must be there, `*`
 * stands for every other name.
 */
export type Shape =
  | "text"
  | "number"
  | "integer"
  | "count"
  | "port"
  | "boolean"
  | readonly [Shape]
  | Choice
  | { readonly [field: string]: Shape };

class Choice {
  readonly values: readonly (string | number)[];

  constructor(values: readonly (string | number)[]) {
    this.values = values;
  }
}

export function oneOf(...values: readonly (string | number)[]): Choice {
  return new Choice(values);
}

export interface ShapeProblem {
  readonly path: string;
  readonly message: string;
}

const MAX_PROBLEMS = 20;

/** Everything that is wrong, by path. Unknown fields are nobody's business; null is absent. */
export function checkShape(value: unknown, shape: Shape, path: string): ShapeProblem[] {
  const problems: ShapeProblem[] = [];
  walk(value, shape, path, problems);
  return problems.slice(0, MAX_PROBLEMS);
}

/** The value without members that are null, which count as absent; the same one if there are none. */
export function withoutNulls<T>(value: T): T {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) {
    const members = value.map((one: unknown) => withoutNulls(one));
    return members.some((one, at) => one !== value[at]) ? (members as T) : value;
  }
  const before = Object.entries(value);
  const after = before.flatMap(([name, field]) =>
    field === null ? [] : [[name, withoutNulls(field)]],
  );
  const same =
    after.length === before.length && after.every(([, one], at) => one === before[at]?.[1]);
  return same ? value : (Object.fromEntries(after) as T);
}

function walk(value: unknown, shape: Shape, path: string, problems: ShapeProblem[]): void {
  if (value === undefined || value === null) return;
  if (typeof shape === "string") {
    if (!isScalar(value, shape)) problems.push({ path, message: MESSAGES[shape] });
  } else if (shape instanceof Choice) {
    if (!shape.values.some((one) => one === value)) {
      problems.push({ path, message: `must be one of ${shape.values.join(", ")}` });
    }
  } else if (isListShape(shape)) walkList(value, shape[0], path, problems);
  else walkObject(value, shape, path, problems);
}

type Scalar = Extract<Shape, string>;

const MESSAGES: { readonly [S in Scalar]: string } = {
  text: "must be text",
  number: "must be a number",
  integer: "must be a whole number",
  count: "must be a whole number, not negative",
  port: "must be a port, 1 to 65535",
  boolean: "must be true or false",
};

const UINT32_MAX = 4_294_967_295;

function isScalar(value: unknown, shape: Scalar): boolean {
  if (shape === "text") return typeof value === "string";
  if (shape === "boolean") return typeof value === "boolean";
  if (typeof value !== "number" || !Number.isFinite(value)) return false;
  if (shape === "number") return true;
  if (shape === "integer") return Number.isInteger(value) && (value | 0) === value;
  const [least, most] = shape === "port" ? [1, 65_535] : [0, UINT32_MAX];
  return Number.isInteger(value) && value >= least && value <= most;
}

function walkList(value: unknown, shape: Shape, path: string, problems: ShapeProblem[]): void {
  if (!Array.isArray(value)) {
    problems.push({ path, message: "must be a list" });
    return;
  }
  for (const [at, one] of value.entries()) {
    if (one === null) problems.push({ path: `${path}[${at}]`, message: "must not be null" });
    else walk(one, shape, `${path}[${at}]`, problems);
  }
}

function walkObject(
  value: unknown,
  shape: { readonly [field: string]: Shape },
  path: string,
  problems: ShapeProblem[],
): void {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    problems.push({ path, message: "must be an object" });
    return;
  }
  const fields = new Map<string, unknown>(Object.entries(value));
  for (const [name, field] of fields) {
    const known = [name, `${name}!`, "*"].find((key) => Object.hasOwn(shape, key));
    const inner = known === undefined ? undefined : shape[known];
    if (inner !== undefined) walk(field, inner, `${path}.${name}`, problems);
  }
  for (const name of Object.keys(shape)) {
    if (!name.endsWith("!") || (fields.get(name.slice(0, -1)) ?? undefined) !== undefined) continue;
    problems.push({ path: `${path}.${name.slice(0, -1)}`, message: "is missing" });
  }
}

function isListShape(shape: Shape): shape is readonly [Shape] {
  return Array.isArray(shape);
}
