/** Whether untyped data has the shape that a type promises. */

/** Scalars by name; one-element lists for lists; `{ "*": shape }` for maps; objects for objects. */
export type Shape =
  "text" | "number" | "boolean" | "any" | readonly [Shape] | { readonly [field: string]: Shape };

export interface ShapeProblem {
  readonly path: string;
  readonly message: string;
}

const MAX_PROBLEMS = 20;

/**
 * Everything that is wrong, by path. Unknown fields are nobody's business, absent and null ones are
 * allowed: the schema of the API server says what must be there.
 */
export function checkShape(value: unknown, shape: Shape, path: string): ShapeProblem[] {
  const problems: ShapeProblem[] = [];
  walk(value, shape, path, problems);
  return problems.slice(0, MAX_PROBLEMS);
}

function walk(value: unknown, shape: Shape, path: string, problems: ShapeProblem[]): void {
  if (value === undefined || value === null || shape === "any") return;
  if (typeof shape === "string") {
    const wanted = shape === "text" ? "string" : shape;
    if (typeof value !== wanted) problems.push({ path, message: `must be a ${shape}` });
    return;
  }
  if (isListShape(shape)) {
    if (!Array.isArray(value)) {
      problems.push({ path, message: "must be a list" });
      return;
    }
    for (const [at, one] of value.entries()) {
      if (one === null) problems.push({ path: `${path}[${at}]`, message: "must not be null" });
      else walk(one, shape[0], `${path}[${at}]`, problems);
    }
    return;
  }
  if (typeof value !== "object" || Array.isArray(value)) {
    problems.push({ path, message: "must be an object" });
    return;
  }
  for (const [name, field] of Object.entries(value)) {
    const inner = Object.hasOwn(shape, name) ? shape[name] : shape["*"];
    if (inner !== undefined) walk(field, inner, `${path}.${name}`, problems);
  }
}

function isListShape(shape: Shape): shape is readonly [Shape] {
  return Array.isArray(shape);
}
