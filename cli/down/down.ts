/** `lateen down`: ends a cluster, through its supervisor or in place of one that was killed. */

import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { waitForLock } from "#cli/lock.ts";
import { requireRoot } from "#cli/setup/root.ts";
import type { ClusterOptions, StatePaths } from "#cli/state.ts";
import { UsageError, readClusterRecord, statePaths } from "#cli/state.ts";
import { endProcess } from "#cli/supervisor/process-table.ts";
import { endOrphans, runningSupervisor } from "#cli/supervisor/supervisor.ts";
import type { Removable } from "./teardown.ts";
import { findInKernel, tearDown } from "./teardown.ts";

/** The supervisor cleans up within this time, else it is killed and we do. */
const SUPERVISOR_GRACE_MS = 60_000;
/** For another `down` that is at it. */
const LOCK_BOUND_MS = 60_000;

export async function down(
  options: ClusterOptions & { purge: boolean },
  print: (line: string) => void,
): Promise<void> {
  const paths = statePaths(options);
  const { name } = options;
  await requireRoot();
  const supervisor = await runningSupervisor(paths);
  const cluster = await removableCluster(options, paths);
  if (supervisor === undefined && cluster === undefined && !existsSync(paths.root)) {
    if (!options.purge) throw new UsageError(`there is no cluster '${name}' in ${paths.root}`);
    print(`there is no cluster '${name}'`);
    return;
  }
  if (supervisor !== undefined) await endProcess(supervisor, SUPERVISOR_GRACE_MS);
  const lock = await waitForLock(paths.lockFile, LOCK_BOUND_MS);
  if (lock === undefined) {
    throw new UsageError(`another command is starting or stopping cluster '${name}': try again`);
  }
  try {
    // Read again: a supervisor at its beginning may have settled on a network meanwhile.
    const latest = await removableCluster(options, paths);
    if (latest === undefined) await endOrphans(paths);
    else await tearDown(paths, latest);
    if (options.purge) await rm(paths.root, { recursive: true, force: true });
  } finally {
    lock.release();
  }
  const kept = options.purge ? "its state is removed" : `its state stays in ${paths.root}`;
  print(`cluster '${name}' is down; ${kept}`);
}

/** As it is remembered; with --purge, a damaged memory is no obstacle. */
async function removableCluster(
  options: ClusterOptions & { purge: boolean },
  paths: StatePaths,
): Promise<Removable | undefined> {
  try {
    const record = await readClusterRecord(paths);
    if (record !== undefined) return record;
  } catch (error) {
    if (!options.purge) throw error;
  }
  return findInKernel(paths, options.name);
}
