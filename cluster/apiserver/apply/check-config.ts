/** What makes a configuration impossible to apply, whatever it is laid over. */

import { isObject, type JsonObject } from "#cluster/apiserver/schema/json.ts";
import { elementOf } from "./elements.ts";
import { DEDUCED, memberOf, type MergeType } from "./merge-type.ts";
import { fieldElement, showPath } from "./path-element.ts";

const MAX_PROBLEMS = 50;

/** In lists that merge every element needs its keys, and none may come twice. */
export function listProblems(type: MergeType, config: JsonObject): string[] {
  const problems: string[] = [];
  visit(type, config, []);
  return problems.slice(0, MAX_PROBLEMS);

  function visit(at: MergeType, value: unknown, path: string[]): void {
    if (problems.length >= MAX_PROBLEMS) return;
    if (at.kind === "map" && isObject(value)) {
      for (const [name, member] of Object.entries(value)) {
        visit(memberOf(at, name).type, member, [...path, fieldElement(name)]);
      }
    }
    if ((at.kind !== "set" && at.kind !== "keyed") || !Array.isArray(value)) return;
    const seen = new Set<string>();
    for (const [index, item] of (value as unknown[]).entries()) {
      const element = elementOf(at, item);
      if (element === undefined) {
        problems.push(`${showPath(path)}: element ${index}: ${whyUnkeyed(at, item)}`);
        continue;
      }
      if (seen.has(element)) {
        problems.push(`${showPath(path)}: duplicate entries for key ${showPath([element])}`);
      }
      seen.add(element);
      visit(at.kind === "keyed" ? at.item.type : DEDUCED, item, [...path, element]);
    }
  }
}

function whyUnkeyed(type: MergeType, item: unknown): string {
  if (type.kind !== "keyed") return "associative list without keys has an element that's no scalar";
  if (!isObject(item)) return "associative list with keys may not have non-map elements";
  const keys = type.keys.map(({ name }) => JSON.stringify(name)).join(" ");
  return `associative list with keys has an element that omits all key fields [${keys}]`;
}
