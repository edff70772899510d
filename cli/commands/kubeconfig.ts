/** `lateen kubeconfig`: prints the path, for `export KUBECONFIG=$(lateen kubeconfig)`. */

import type { ClusterOptions } from "#cli/state.ts";
import { UsageError, readClusterRecord, statePaths } from "#cli/state.ts";

/** Prints the absolute path; throws UsageError when the cluster was never brought up. */
export async function printKubeconfig(
  options: ClusterOptions,
  print: (line: string) => void,
): Promise<void> {
  const paths = statePaths(options);
  if ((await readClusterRecord(paths)) === undefined) {
    throw new UsageError(`there is no cluster '${options.name}': start it with \`lateen up\``);
  }
  print(paths.kubeconfig);
}
