/** Reading /proc: who lives, since when, and how much memory it has. */

import { readFile, readdir } from "node:fs/promises";

/** A process that can't be mistaken for a later one with the same number. */
export interface ProcessIdentity {
  pid: number;
  /** Start time in clock ticks since boot (`/proc/PID/stat`, field 22). */
  startTime: string;
}

/** The identity of a running process; undefined when there is none (a zombie counts as none). */
export async function identify(pid: number): Promise<ProcessIdentity | undefined> {
  const [state, , ...rest] = await statFields(pid);
  const startTime = rest[17];
  if (startTime === undefined || state === "Z" || state === "X") return undefined;
  return { pid, startTime };
}

/** The parent of a process with its command line. */
export async function parentOf(
  pid: number,
): Promise<{ identity: ProcessIdentity; args: string[] } | undefined> {
  const [, parent] = await statFields(pid);
  const identity = parent === undefined ? undefined : await identify(Number(parent));
  return identity === undefined ? undefined : { identity, args: await commandLine(identity.pid) };
}

/** `/proc/PID/stat` from its third field on: state, parent, …; empty when there is no process. */
async function statFields(pid: number): Promise<string[]> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  // The command's name is in parentheses and may itself contain blanks and parentheses.
  return stat === "" ? [] : stat.slice(stat.lastIndexOf(")") + 2).split(" ");
}

async function commandLine(pid: number): Promise<string[]> {
  return (await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")).split("\0");
}

/** Whether this very process still runs. */
export async function isAlive(identity: ProcessIdentity): Promise<boolean> {
  return (await identify(identity.pid))?.startTime === identity.startTime;
}

/** All processes whose command line is one that `matches`. */
export async function processesRunning(
  matches: (args: readonly string[]) => boolean,
): Promise<ProcessIdentity[]> {
  const pids = (await readdir("/proc")).filter((name) => /^[0-9]+$/.test(name)).map(Number);
  const found = await Promise.all(
    pids.map(async (pid) => {
      // The identity first: what has the number afterwards is the same process, or is not signalled.
      const identity = await identify(pid);
      return identity !== undefined && matches(await commandLine(pid)) ? [identity] : [];
    }),
  );
  return found.flat();
}

/** Resident memory in bytes; 0 when the process is gone. */
export async function residentBytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024;
}

/**
 * Ends a process: SIGTERM, then SIGKILL after `graceMs`. Resolves when it is gone; rejects when
 * even SIGKILL did not end it within ten seconds.
 */
export async function endProcess(identity: ProcessIdentity, graceMs: number): Promise<void> {
  for (const [signal, waitMs] of [
    ["SIGTERM", graceMs],
    ["SIGKILL", 10_000],
  ] as const) {
    if (!(await isAlive(identity))) return;
    sendSignal(identity.pid, signal);
    if (await waitUntilGone(identity, waitMs)) return;
  }
  throw new Error(`process ${identity.pid} does not end`);
}

function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    // It ended between the look and the signal.
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
  }
}

const POLL_MS = 20;

async function waitUntilGone(identity: ProcessIdentity, boundMs: number): Promise<boolean> {
  const deadline = Date.now() + boundMs;
  while (Date.now() < deadline) {
    if (!(await isAlive(identity))) return true;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  return !(await isAlive(identity));
}
