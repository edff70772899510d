/** Checks of tables against each other: for tests and the debug pages. */

import type { ResourceTable } from "./table.ts";
import { CLUSTER, ENDPOINTS } from "./type-url.ts";

/** Where two sets of tables differ, in words; empty when they are byte for byte the same. */
export function diffTables(
  left: readonly ResourceTable[],
  right: readonly ResourceTable[],
): string[] {
  const [one, other] = [contentOf(left), contentOf(right)];
  const differences: string[] = [];
  for (const [key, version] of one) {
    const there = other.get(key);
    if (there === undefined) differences.push(`only left: ${key}`);
    else if (there !== version) differences.push(`different: ${key}`);
  }
  for (const key of other.keys()) if (!one.has(key)) differences.push(`only right: ${key}`);
  return differences.toSorted();
}

/** Clusters whose endpoints are to be discovered but that no table has; empty when consistent. */
export function missingEndpoints(tables: readonly ResourceTable[]): string[] {
  const have = new Set(
    tables
      .filter((table) => table.type === ENDPOINTS)
      .flatMap((table) => [...table.resources()].map((resource) => resource.name)),
  );
  return tables
    .filter((table) => table.type === CLUSTER)
    .flatMap((table) => [...table.resources()])
    .flatMap(({ endpoints }) => (endpoints === undefined || have.has(endpoints) ? [] : [endpoints]))
    .toSorted();
}

function contentOf(tables: readonly ResourceTable[]): Map<string, string> {
  const content = new Map<string, string>();
  for (const table of tables) {
    for (const resource of table.resources()) {
      content.set(`${table.type} ${resource.name}`, resource.version);
    }
  }
  return content;
}
