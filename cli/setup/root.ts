/** What only root may do. */

import { UsageError } from "#cli/state.ts";
import { installCommand, missingPrerequisites } from "./packages.ts";

/**
 * Throws UsageError unless this process may make network namespaces and mounts. Since nobody else
 * can install them then, it names the missing packages as well.
 */
export async function requireRoot(): Promise<void> {
  if (process.getuid?.() === 0) return;
  const missing = await missingPrerequisites();
  const packages = missing.length === 0 ? "" : `; missing, too: ${installCommand(missing)}`;
  throw new UsageError(
    "a cluster needs root for network namespaces and mounts: run it by sudo " +
      `(lateen doctor tells more)${packages}`,
  );
}
