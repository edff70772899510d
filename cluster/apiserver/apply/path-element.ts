/** Path elements of field sets: how they are written, ordered and shown. */

import { isObject } from "#cluster/apiserver/schema/json.ts";

/** `f:` before `k:` before `v:` before `i:`, and `.` before them all. */
const RANKS: Readonly<Record<string, number>> = { ".": 0, f: 1, k: 2, v: 3, i: 4 };

/** Of a member of a map or struct. */
export function fieldElement(name: string): string {
  return `f:${name}`;
}

/** Of an element of a list that is a set. */
export function valueElement(value: unknown): string {
  return `v:${textOf(value)}`;
}

/** Of an element of a list that is a map; the names are in order. */
export function keyElement(keys: readonly (readonly [name: string, value: unknown])[]): string {
  return `k:{${keys.map(([name, value]) => `${textOf(name)}:${textOf(value)}`).join(",")}}`;
}

/** For sorting: negative, zero or positive. */
export function compareElements(a: string, b: string): number {
  // Nearly all are fields.
  if (a.startsWith("f") && b.startsWith("f")) return a < b ? -1 : a === b ? 0 : 1;
  const rank = (RANKS[a.charAt(0)] ?? 5) - (RANKS[b.charAt(0)] ?? 5);
  if (rank !== 0) return rank;
  if (a === b) return 0;
  return compareValues(contentOf(a), contentOf(b));
}

/** A path as people read it: `.spec.ports[port=80,protocol="TCP"].name`. */
export function showPath(path: readonly string[]): string {
  return path.map(showElement).join("");
}

function showElement(element: string): string {
  const text = element.slice(2);
  switch (element.charAt(0)) {
    case "f":
      return `.${text}`;
    case "k": {
      const keys = contentOf(element);
      const shown = Object.entries(isObject(keys) ? keys : {}).map(
        ([name, value]) => `${name}=${JSON.stringify(value)}`,
      );
      return `[${shown.join(",")}]`;
    }
    case "v":
      return `[=${JSON.stringify(contentOf(element))}]`;
    default:
      return `[${text}]`;
  }
}

/** JSON as Go writes it, with the characters of HTML escaped. */
function textOf(value: unknown): string {
  const text = JSON.stringify(value) ?? "null";
  if (!/[<>&\u2028\u2029]/.test(text)) return text;
  return text.replaceAll(/[<>&\u2028\u2029]/g, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
}

function contentOf(element: string): unknown {
  try {
    return JSON.parse(element.slice(2));
  } catch {
    // Written by a client that has its own way with elements: its text has an order too.
    return element;
  }
}

/** Numbers before strings before booleans; maps member by member. */
function compareValues(a: unknown, b: unknown): number {
  const rank = typeRank(a) - typeRank(b);
  if (rank !== 0) return rank;
  if (isObject(a) && isObject(b)) return compareMembers(Object.entries(a), Object.entries(b));
  if (typeof a === "number" && typeof b === "number") return a - b;
  const [left, right] = [String(a), String(b)];
  return left === right ? 0 : left < right ? -1 : 1;
}

function compareMembers(a: [string, unknown][], b: [string, unknown][]): number {
  for (let at = 0; at < Math.min(a.length, b.length); at++) {
    const [left, right] = [a[at], b[at]];
    const result = compareValues(left?.[0], right?.[0]) || compareValues(left?.[1], right?.[1]);
    if (result !== 0) return result;
  }
  return a.length - b.length;
}

function typeRank(value: unknown): number {
  return ["number", "string", "boolean", "object"].indexOf(typeof value);
}
