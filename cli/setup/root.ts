/** What only root may do. */

import { UsageError } from "#cli/state.ts";

/** Throws UsageError unless this process may make network namespaces and mounts. */
export function requireRoot(): void {
  if (process.getuid?.() === 0) return;
  throw new UsageError(
    "a cluster needs root for network namespaces and mounts: run it by sudo (lateen doctor tells more)",
  );
}
