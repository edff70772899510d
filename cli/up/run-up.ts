/** `lateen up`: in the foreground until Ctrl-C, or with the supervisor in the background. */

import { runDemo } from "#cli/demo/demo.ts";
import { tearDown } from "#cli/down/teardown.ts";
import type { Reporter } from "#cli/reporter.ts";
import { formatDuration, lineReporter } from "#cli/reporter.ts";
import { UsageError, createStateFolders, readClusterRecord, statePaths } from "#cli/state.ts";
import type { StatePaths } from "#cli/state.ts";
import {
  Supervisor,
  endOrphans,
  recordSupervisor,
  runningSupervisor,
} from "#cli/supervisor/supervisor.ts";
import { layGround, startProcesses } from "./bring-up.ts";
import { detach, parentPrint, tellParent } from "./detach.ts";
import type { UpCommandOptions } from "./options.ts";

/** Returns the exit code: 0 after a clean stop (or, detached, once all is ready). */
export async function runUp(options: UpCommandOptions): Promise<number> {
  const paths = statePaths(options);
  requireRoot();
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
      abort.abort();
    });
  }
  try {
    return await superviseCluster(options, { paths, print, signal: abort.signal });
  } catch (error) {
    if (options.supervise !== true) throw error;
    tellParent({ kind: "failed", message: error instanceof Error ? error.message : String(error) });
    return 1;
  }
}

function requireRoot(): void {
  if (process.getuid?.() === 0) return;
  throw new UsageError(
    "a cluster needs root for network namespaces and mounts: run it by sudo (lateen doctor tells more)",
  );
}

interface Surroundings {
  paths: StatePaths;
  print: (line: string) => void;
  signal: AbortSignal;
}

async function superviseCluster(options: UpCommandOptions, around: Surroundings): Promise<number> {
  const { paths, print, signal } = around;
  const started = performance.now();
  const reporter = lineReporter(print);
  const supervisor = new Supervisor(paths);
  try {
    await createStateFolders(paths);
    await recordSupervisor(paths);
    await endOrphans(paths);
    const cluster = await layGround(options, reporter);
    const { client, ingress } = await startProcesses(cluster, supervisor, reporter, signal);
    print(`cluster '${options.name}' is up after ${formatDuration(performance.now() - started)}`);
    print("");
    print(`  export KUBECONFIG=${paths.kubeconfig}`);
    if (options.demo) {
      await runDemo({
        client,
        ingress,
        reporter,
        print,
        started,
        live: options.supervise !== true,
        signal,
      });
    } else {
      print(`  ingress: ${ingress}`);
    }
    if (options.supervise === true) tellParent({ kind: "ready" });
    await aborted(signal);
    client.close();
    return 0;
  } catch (error) {
    if (signal.aborted) return 130;
    throw error;
  } finally {
    await stopEverything(supervisor, paths, reporter);
  }
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
