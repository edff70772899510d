/** The life of a cluster's supervisor: everything up, watched until a signal comes, down again. */

import { runDemo } from "#cli/demo/demo.ts";
import { tearDown } from "#cli/down/teardown.ts";
import { tryLock } from "#cli/lock.ts";
import type { Reporter } from "#cli/reporter.ts";
import { formatDuration, lineReporter } from "#cli/reporter.ts";
import { UsageError, createStateFolders, readClusterRecord } from "#cli/state.ts";
import type { StatePaths } from "#cli/state.ts";
import { Supervisor, endOrphans, recordSupervisor } from "#cli/supervisor/supervisor.ts";
import { bringUp } from "./bring-up.ts";
import { tellParent } from "./detach.ts";
import type { UpCommandOptions } from "./options.ts";

export interface Surroundings {
  paths: StatePaths;
  print: (line: string) => void;
  /** Its reason is the signal's name. */
  signal: AbortSignal;
}

/**
 * Resolves after everything was taken down again: true when the cluster had been up, false when
 * the signal came before. Rejects with what kept it from coming up.
 */
export async function superviseCluster(
  options: UpCommandOptions,
  around: Surroundings,
): Promise<boolean> {
  const { paths, print, signal } = around;
  await createStateFolders(paths);
  const lock = tryLock(paths.lockFile);
  if (lock === undefined) {
    throw new UsageError(
      `another command is starting or stopping cluster '${options.name}': see \`lateen status\``,
    );
  }
  const supervisor = new Supervisor(paths);
  const reporter = lineReporter(print, signal);
  let isUp = false;
  let failure: unknown;
  try {
    await recordSupervisor(paths);
    await endOrphans(paths);
    const close = await start(options, { ...around, supervisor, reporter });
    isUp = true;
    if (options.supervise === true) tellParent({ kind: "ready" });
    await aborted(signal);
    close();
  } catch (error) {
    if (!signal.aborted) failure = error;
  }
  try {
    await stopEverything(supervisor, paths, reporter);
  } catch (error) {
    // What went wrong first is what the user must know.
    if (failure === undefined) throw error;
    print(`and then: ${error instanceof Error ? error.message : String(error)}`);
  } finally {
    lock.release();
  }
  if (failure !== undefined) throw failure;
  return isUp;
}

async function start(
  options: UpCommandOptions,
  own: Surroundings & { supervisor: Supervisor; reporter: Reporter },
): Promise<() => void> {
  const { paths, print, signal, reporter } = own;
  const started = performance.now();
  const { client, ingress } = await bringUp(options, own);
  print(`cluster '${options.name}' is up after ${formatDuration(performance.now() - started)}`);
  print("");
  print(`  export KUBECONFIG=${paths.kubeconfig}`);
  if (options.demo) {
    const live = options.supervise !== true;
    await runDemo({ client, ingress, reporter, print, started, live, signal });
  } else {
    print(`  ingress: ${ingress}`);
  }
  return () => {
    client.close();
  };
}

async function stopEverything(
  supervisor: Supervisor,
  paths: StatePaths,
  reporter: Reporter,
): Promise<void> {
  await reporter.step("stopped, nothing left behind", async () => {
    await supervisor.stopAll();
    const record = await readClusterRecord(paths);
    if (record !== undefined) await tearDown(paths, record);
  });
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  // Child processes and timers may all be unreferenced; the supervisor lives until it is told.
  const alive = setInterval(() => undefined, 1 << 30);
  await new Promise<void>((resolve) => {
    signal.addEventListener("abort", () => {
      resolve();
    });
  });
  clearInterval(alive);
}
