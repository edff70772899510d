/** The named network namespaces of this machine (`ip netns`). */

import { readdir, rm, stat } from "node:fs/promises";
import path from "node:path";
import { applyIp } from "./ip.ts";
import { NETNS_DIR } from "./run-in-namespace.ts";

/** Names that begin with the prefix; sorted. */
export async function listNamespaces(prefix: string): Promise<string[]> {
  try {
    const names = await readdir(NETNS_DIR);
    return names.filter((name) => name.startsWith(prefix)).toSorted();
  } catch (error) {
    // No namespace was ever named on this machine.
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return [];
    throw error;
  }
}

/**
 * Removes names with the prefix that lead to no namespace: an `ip netns add` that is cut off leaves
 * a file where it would have mounted one. Nobody may be making namespaces of these names meanwhile.
 */
export async function removeBrokenNames(prefix: string): Promise<void> {
  for (const name of await listNamespaces(prefix)) {
    const file = path.join(NETNS_DIR, name);
    if (!(await isMounted(file))) await rm(file, { force: true });
  }
}

/** One that has gone meanwhile needs no removal either. */
async function isMounted(file: string): Promise<boolean> {
  const folder = await stat(NETNS_DIR);
  return stat(file).then(
    ({ dev }) => dev !== folder.dev,
    () => true,
  );
}

/**
 * Idempotent. Links inside vanish up to 200 ms later, and a namespace lives on, without a name, as
 * long as a process is in it.
 */
export async function deleteNamespaces(names: readonly string[]): Promise<void> {
  const lines = names.map((name) => `netns del ${name}`);
  try {
    await applyIp(lines);
  } catch {
    // Someone else removed one meanwhile: the others are removed one by one.
    for (const line of lines) await applyIp([line]).catch(ignoreGone);
  }
}

/** For removals that a parallel call, or the kernel, may have done already. */
export function ignoreGone(error: Error): void {
  if (!/Cannot find device|No such (process|file|device)/.test(error.message)) throw error;
}
