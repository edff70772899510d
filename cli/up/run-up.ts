/** `lateen up`: in the foreground until Ctrl-C, or with the supervisor in the background. */

import { constants } from "node:os";
import { requireRoot } from "#cli/setup/root.ts";
import { UsageError, statePaths } from "#cli/state.ts";
import { runningSupervisor } from "#cli/supervisor/supervisor.ts";
import { detach, parentPrint, tellParent } from "./detach.ts";
import type { UpCommandOptions } from "./options.ts";

/**
 * Returns the exit code: 0 after a clean stop (or, detached, once all is ready), 128 and the
 * signal's number when a signal came before the cluster was up.
 */
export async function runUp(options: UpCommandOptions): Promise<number> {
  const paths = statePaths(options);
  await requireRoot();
  const running = await runningSupervisor(paths);
  if (running !== undefined) {
    throw new UsageError(
      `cluster '${options.name}' is already up (supervisor pid ${running.pid}): ` +
        "see `lateen status`, stop it by `lateen down`, or choose another --name",
    );
  }
  if (options.detach && options.supervise !== true) return detach(options, paths);
  const print = options.supervise === true ? parentPrint : (line: string) => console.log(line);
  const abort = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => {
      abort.abort(signal);
    });
  }
  try {
    // What the parent of a detached supervisor needn't load.
    const { superviseCluster } = await import("./supervise.ts");
    if (await superviseCluster(options, { paths, print, signal: abort.signal })) return 0;
    print(`cluster '${options.name}' was stopped before it was up`);
    return 128 + constants.signals[abort.signal.reason as NodeJS.Signals];
  } catch (error) {
    if (options.supervise !== true) throw error;
    tellParent({ kind: "failed", message: error instanceof Error ? error.message : String(error) });
    return 1;
  }
}
