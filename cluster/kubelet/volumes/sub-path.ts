/** subPath: a place inside a volume, never outside it, whatever links a container has put there. */

import { mkdir, realpath, stat } from "node:fs/promises";
import { join, sep } from "node:path";

/**
 * The real path of `subPath` in the volume; missing folders are made. Links are followed as long as
 * they stay inside; one that leads out is an error.
 */
export async function resolveSubPath(volumePath: string, subPath: string): Promise<string> {
  const parts = subPath.split("/").filter((part) => part !== "" && part !== ".");
  if (subPath.startsWith("/") || parts.includes("..")) {
    throw new Error(`subPath ${JSON.stringify(subPath)} must be relative and without ".."`);
  }
  const root = await realpath(volumePath);
  let current = root;
  for (const part of parts) {
    const next = join(current, part);
    const exists = (await stat(next).catch(() => undefined)) !== undefined;
    if (!exists) {
      await mkdir(next, { mode: 0o750 }).catch((error: NodeJS.ErrnoException) => {
        // A link that leads nowhere can't be followed safely.
        throw new Error(`subPath ${subPath} can't be made: ${error.message}`, { cause: error });
      });
    }
    current = await realpath(next);
    if (current !== root && !current.startsWith(root + sep)) {
      throw new Error(`subPath ${JSON.stringify(subPath)} leads out of the volume`);
    }
  }
  return current;
}
