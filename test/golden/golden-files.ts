/** Files that hold what a case must give; `UPDATE_GOLDEN=1` rewrites and prunes them. */

import { existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { dump } from "js-yaml";

/** Case folders below a `testdata` folder, by name. */
export function caseFolders(testdata: string): string[] {
  return readdirSync(testdata, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .toSorted((left, right) => (left < right ? -1 : 1));
}

/** What differs between a case's files and what it gives now; empty when nothing does. */
export function compareGolden(
  folder: string,
  inputs: readonly string[],
  outputs: Readonly<Record<string, unknown>>,
): string[] {
  const update = process.env.UPDATE_GOLDEN === "1";
  const differences: string[] = [];
  const wanted = new Map(
    Object.entries(outputs)
      .filter(([, value]) => !isEmpty(value))
      .map(([name, value]) => [`${name}.yaml`, toYaml(value)]),
  );
  for (const [name, text] of wanted) {
    const file = join(folder, name);
    const before = existsSync(file) ? readFileSync(file, "utf8") : undefined;
    if (before === text) continue;
    if (update) writeFileSync(file, text);
    else differences.push(`${name}: ${firstDifference(before, text)}`);
  }
  for (const name of readdirSync(folder)) {
    if (wanted.has(name) || inputs.includes(name)) continue;
    if (update) rmSync(join(folder, name));
    else differences.push(`${name}: nothing gives this file`);
  }
  return differences;
}

function isEmpty(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0;
}

/** Keys in the order in which they were made; no anchors, so that a reader sees all in place. */
export function toYaml(value: unknown): string {
  const plain: unknown = JSON.parse(JSON.stringify(value));
  return dump(plain, { noRefs: true, lineWidth: 100 });
}

function firstDifference(before: string | undefined, after: string): string {
  if (before === undefined) return "is missing (UPDATE_GOLDEN=1 writes it)";
  const old = before.split("\n");
  const now = after.split("\n");
  const at = now.findIndex((line, index) => line !== old[index]);
  const line = at < 0 ? now.length : at;
  return `line ${line + 1}: was ${JSON.stringify(old[line])}, is ${JSON.stringify(now[line])}`;
}
