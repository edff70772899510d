/** `lateen down`: ends a cluster, through its supervisor or in place of one that was killed. */

import { rm } from "node:fs/promises";
import type { ClusterOptions } from "#cli/state.ts";
import { UsageError, readClusterRecord, statePaths } from "#cli/state.ts";
import { endProcess } from "#cli/supervisor/process-table.ts";
import { runningSupervisor } from "#cli/supervisor/supervisor.ts";
import { tearDown } from "./teardown.ts";

/** The supervisor cleans up within this time, else it is killed and we do. */
const SUPERVISOR_GRACE_MS = 60_000;

export async function down(
  options: ClusterOptions & { purge: boolean },
  print: (line: string) => void,
): Promise<void> {
  const paths = statePaths(options);
  const record = await readClusterRecord(paths);
  if (record === undefined) {
    if (!options.purge) throw new UsageError(`there is no cluster '${options.name}'`);
    await rm(paths.root, { recursive: true, force: true });
    return;
  }
  const supervisor = await runningSupervisor(paths);
  if (supervisor !== undefined) await endProcess(supervisor, SUPERVISOR_GRACE_MS);
  await tearDown(paths, record);
  if (options.purge) await rm(paths.root, { recursive: true, force: true });
  const kept = options.purge ? "its state is removed" : `its state stays in ${paths.root}`;
  print(`cluster '${options.name}' is down; ${kept}`);
}
