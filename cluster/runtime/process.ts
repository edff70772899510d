/** Child processes with bounds, and the identity of processes that outlive the agent. */

import { spawn } from "node:child_process";
import { readFile } from "node:fs/promises";

export interface RunOptions {
  /** Written to stdin, which is then closed; without it stdin is /dev/null. */
  input?: string | Buffer;
  cwd?: string;
  env?: Record<string, string | undefined>;
  /** Kills the process; the result then has its signal. */
  signal?: AbortSignal;
  /** The process is killed after this time. */
  timeoutMs?: number;
}

export interface RunResult {
  /** 128 + n when a signal ended the process. */
  code: number;
  stdout: string;
  stderr: string;
}

const MAX_OUTPUT_BYTES = 1 << 20;
const DEFAULT_TIMEOUT_MS = 60_000;

/**
 * Runs a program to its end and collects at most 1 MiB of each output stream (the rest is read and
 * dropped). Rejects only when the program can't be started; the message then names it.
 */
export function run(
  command: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<RunResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, [...args], {
      cwd: options.cwd,
      env: options.env,
      stdio: [options.input === undefined ? "ignore" : "pipe", "pipe", "pipe"],
    });
    const stdout = new BoundedText();
    const stderr = new BoundedText();
    child.stdout?.on("data", (chunk: Buffer) => stdout.add(chunk));
    child.stderr?.on("data", (chunk: Buffer) => stderr.add(chunk));
    const kill = (): void => void child.kill("SIGKILL");
    const timer = setTimeout(kill, options.timeoutMs ?? DEFAULT_TIMEOUT_MS);
    options.signal?.addEventListener("abort", kill, { once: true });
    const done = (): void => {
      clearTimeout(timer);
      options.signal?.removeEventListener("abort", kill);
    };
    child.on("error", (cause) => {
      done();
      reject(new Error(`${command} can't be started: ${cause.message}`, { cause }));
    });
    child.on("close", (code, signal) => {
      done();
      const ended = code ?? (signal === null ? 1 : 128 + (SIGNAL_NUMBERS[signal] ?? 0));
      resolve({ code: ended, stdout: stdout.text(), stderr: stderr.text() });
    });
    // A program may end before it has read its input: EPIPE is not an error of ours.
    child.stdin?.on("error", () => undefined);
    if (options.input !== undefined) child.stdin?.end(options.input);
  });
}

/** Numbers of the signals that stop containers (x86-64 and arm64 agree on these). */
export const SIGNAL_NUMBERS: Readonly<Record<string, number>> = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGQUIT: 3,
  SIGABRT: 6,
  SIGKILL: 9,
  SIGUSR1: 10,
  SIGSEGV: 11,
  SIGUSR2: 12,
  SIGPIPE: 13,
  SIGALRM: 14,
  SIGTERM: 15,
};

class BoundedText {
  readonly #chunks: Buffer[] = [];
  #bytes = 0;

  add(chunk: Buffer): void {
    const room = MAX_OUTPUT_BYTES - this.#bytes;
    if (room <= 0) return;
    const kept = chunk.length <= room ? chunk : chunk.subarray(0, room);
    this.#chunks.push(kept);
    this.#bytes += kept.length;
  }

  text(): string {
    return Buffer.concat(this.#chunks).toString("utf8");
  }
}

/**
 * Start time of a process in clock ticks since boot (field 22 of /proc/PID/stat), which together
 * with the pid names a process for ever; undefined when it is gone or a zombie.
 */
export async function processStartTime(pid: number): Promise<string | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => undefined);
  if (text === undefined) return undefined;
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const state = fields[0];
  return state === "Z" || state === "X" ? undefined : fields[19];
}

/** Whether this very process (not a later one with its number) still runs. */
export async function isAlive(pid: number, startTime: string): Promise<boolean> {
  return (await processStartTime(pid)) === startTime;
}

/** Sends a signal; false when the process is gone. */
export function sendSignal(pid: number, signal: NodeJS.Signals | number): boolean {
  try {
    process.kill(pid, signal);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
    throw error;
  }
}
