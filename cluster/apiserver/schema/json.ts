/** Plain JSON values of unknown shape: safe reading, writing, copying and comparing. */

export type JsonObject = Record<string, unknown>;

export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** An own member, never one of the prototype (`constructor`, `__proto__`). */
export function getOwn<T>(object: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}

/** Sets an own member even where the key is `__proto__`, which an assignment would lose. */
export function setOwn(object: JsonObject, key: string, value: unknown): void {
  if (key === "__proto__") {
    const member = { value, enumerable: true, configurable: true, writable: true };
    Object.defineProperty(object, key, member);
  } else {
    object[key] = value;
  }
}

/** A deep copy; members that are `undefined` are left out. */
export function cloneJson<T>(value: T): T;
export function cloneJson(value: unknown): unknown {
  if (Array.isArray(value)) return value.map((item: unknown) => cloneJson(item));
  if (!isObject(value)) return value;
  const copy: JsonObject = {};
  for (const key of Object.keys(value)) {
    if (value[key] !== undefined) setOwn(copy, key, cloneJson(value[key]));
  }
  return copy;
}

/** Deep equality of JSON; a member that is `undefined` equals one that is absent. */
export function equalJson(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (Array.isArray(a)) {
    if (!Array.isArray(b) || a.length !== b.length) return false;
    return a.every((item, index) => equalJson(item, b[index]));
  }
  if (!isObject(a) || !isObject(b)) return false;
  const present = (object: JsonObject): string[] =>
    Object.keys(object).filter((key) => object[key] !== undefined);
  const keys = present(a);
  return (
    keys.length === present(b).length &&
    keys.every((key) => Object.hasOwn(b, key) && equalJson(a[key], b[key]))
  );
}

/** The value at a path of member names, or undefined where any step is no object. */
export function at(value: unknown, ...path: readonly string[]): unknown {
  let current = value;
  for (const step of path) {
    if (!isObject(current)) return undefined;
    current = getOwn(current, step);
  }
  return current;
}

/** The objects in a list field; anything else in it is left to validation. */
export function objectsAt(value: unknown, ...path: readonly string[]): JsonObject[] {
  const list = at(value, ...path);
  return Array.isArray(list) ? list.filter(isObject) : [];
}

/** A string field, or the empty string. */
export function stringAt(value: unknown, ...path: readonly string[]): string {
  const found = at(value, ...path);
  return typeof found === "string" ? found : "";
}

/** A number field, or undefined. */
export function numberAt(value: unknown, ...path: readonly string[]): number | undefined {
  const found = at(value, ...path);
  return typeof found === "number" ? found : undefined;
}

/** Whether a value nests deeper than so many levels; walks no further than that. */
export function exceedsDepth(value: unknown, maxDepth: number): boolean {
  if (typeof value !== "object" || value === null) return false;
  if (maxDepth === 0) return true;
  return Object.values(value).some((member) => exceedsDepth(member, maxDepth - 1));
}
