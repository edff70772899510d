/** Runs a command in a running container, with pipes or with a terminal. */

import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import type { Readable, Writable } from "node:stream";
import { type OciRuntime, cleanMessage } from "./oci-runtime.ts";
import type { OciProcess, OciSpec } from "./oci-spec.ts";
import { run, sendSignal } from "./process.ts";

export interface ExecRequest {
  command: readonly string[];
  tty: boolean;
  stdin: boolean;
  /** What the terminal has at the start. */
  size?: TerminalSize;
}

export interface TerminalSize {
  columns: number;
  rows: number;
}

export interface ExecSession {
  /** Absent unless asked for. */
  stdin?: Writable;
  stdout: Readable;
  /** Absent with a terminal, which has one stream. */
  stderr?: Readable;
  /** Tells the terminal its size. */
  resize(columns: number, rows: number): Promise<void>;
  /** The command's exit code; rejects when it could not be run. */
  readonly exitCode: Promise<number>;
  /** Ends the command. */
  kill(): Promise<void>;
}

/** Where a command can be run: a container's folder and the runtime that knows it. */
export interface ExecTarget {
  oci: OciRuntime;
  id: string;
  containerDir: string;
}

const MAX_STDERR_KEPT = 4096;
/** What crun and runc end with when they could not run the command at all. */
const REFUSED = 255;
const CLOSE_WAIT_MS = 200;
const PID_ATTEMPTS = 40;
const PID_INTERVAL_MS = 25;

/** Starts the command with the container's user, environment and capabilities. */
export async function startExec(target: ExecTarget, request: ExecRequest): Promise<ExecSession> {
  const spec = JSON.parse(
    await readFile(join(target.containerDir, "bundle", "config.json"), "utf8"),
  ) as OciSpec;
  const name = `exec-${randomBytes(6).toString("hex")}`;
  const processFile = join(target.containerDir, `${name}.json`);
  const pidFile = join(target.containerDir, `${name}.pid`);
  await writeFile(processFile, JSON.stringify(execProcess(spec, request)), { mode: 0o600 });
  const line = target.oci.commandLine(
    "exec",
    `--process=${processFile}`,
    `--pid-file=${pidFile}`,
    target.id,
  );
  const child = request.tty ? spawnOnTerminal(line) : spawnOnPipes(line, request.stdin);
  const exitCode = removeAfter(exitOf(child), [processFile, pidFile]);
  // The session's owner may only look at its streams.
  exitCode.catch(() => undefined);
  child.stdin?.on("error", () => undefined);
  return {
    ...(request.stdin && child.stdin !== null ? { stdin: child.stdin } : {}),
    stdout: child.stdout as Readable,
    ...(request.tty ? {} : { stderr: child.stderr as Readable }),
    resize: (columns, rows) => (request.tty ? resizeTerminal(pidFile, columns, rows) : noResize()),
    exitCode,
    kill: () => killExec(child, pidFile),
  };
}

function execProcess(spec: OciSpec, request: ExecRequest): OciProcess {
  const env = spec.process.env.filter((entry) => !entry.startsWith("TERM="));
  return {
    ...spec.process,
    terminal: request.tty,
    ...(request.tty && request.size !== undefined
      ? { consoleSize: consoleSize(request.size) }
      : {}),
    args: [...request.command],
    env: request.tty ? [...env, "TERM=xterm"] : env,
  };
}

function consoleSize({ columns, rows }: TerminalSize): { height: number; width: number } {
  return { height: cells(rows), width: cells(columns) };
}

function cells(count: number): number {
  return Math.min(Math.max(1, Math.trunc(count)), 65_535);
}

function spawnOnPipes(line: { command: string; args: string[] }, stdin: boolean): ChildProcess {
  return spawn(line.command, line.args, { stdio: [stdin ? "pipe" : "ignore", "pipe", "pipe"] });
}

/**
 * util-linux's `script` gives the runtime a terminal. The command line goes through the environment
 * (separated by newlines, which ours never contain), so that the shell sees constant text only.
 */
function spawnOnTerminal(line: { command: string; args: string[] }): ChildProcess {
  // What the runtime itself has to say must not get among the command's output.
  const command = 'IFS="\n"; set -f; exec $LATEEN_EXEC 2>&3 3>&-';
  const words = [line.command, ...line.args];
  if (words.some((word) => word.includes("\n"))) throw new Error("newline in a runtime's argument");
  return spawn("script", ["--quiet", "--return", "--flush", "--command", command, "/dev/null"], {
    stdio: ["pipe", "pipe", "ignore", "pipe"],
    env: { PATH: process.env.PATH, SHELL: "/bin/sh", LATEEN_EXEC: words.join("\n") },
  });
}

function exitOf(child: ChildProcess): Promise<number> {
  let said = "";
  const complaints = (child.stdio[3] ?? child.stderr) as Readable | null;
  complaints?.on("data", (chunk: Buffer) => {
    if (said.length < MAX_STDERR_KEPT) said += chunk.toString("utf8");
  });
  return new Promise((resolve, reject) => {
    child.on("error", (error) =>
      reject(new Error(`${child.spawnfile} can't be started: ${error.message}`)),
    );
    // Background children of the command may hold the pipes: its exit is what counts.
    child.on("exit", (code, signal) => {
      if (code !== REFUSED) resolve(code ?? (signal === null ? 1 : 137));
      else
        void settled(child).then(() =>
          isRefusal(said) ? reject(new Error(cleanMessage(said))) : resolve(code),
        );
    });
  });
}

/** The output is complete, or held up by somebody else. */
async function settled(child: ChildProcess): Promise<void> {
  await Promise.race([once(child, "close"), setTimeout(CLOSE_WAIT_MS)]);
}

function isRefusal(said: string): boolean {
  return /executable file|No such file|exec failed|not found/i.test(said);
}

/**
 * Sets the size on the command's own terminal: crun 1.8 doesn't pass on that of the outer one.
 * (stty opens without blocking and refuses what is no terminal, should the command have moved it.)
 */
async function resizeTerminal(pidFile: string, columns: number, rows: number): Promise<void> {
  const pid = await waitForPid(pidFile);
  if (pid === undefined) return;
  const size = ["cols", String(cells(columns)), "rows", String(cells(rows))];
  await run("stty", ["-F", `/proc/${pid}/fd/0`, ...size]);
}

async function waitForPid(pidFile: string): Promise<number | undefined> {
  for (let attempt = 0; attempt < PID_ATTEMPTS; attempt++) {
    const pid = Number(await readFile(pidFile, "utf8").catch(() => "0"));
    if (pid > 1) return pid;
    await setTimeout(PID_INTERVAL_MS);
  }
  return undefined;
}

async function removeAfter<T>(work: Promise<T>, files: readonly string[]): Promise<T> {
  try {
    return await work;
  } finally {
    await Promise.all(files.map((file) => rm(file, { force: true })));
  }
}

async function noResize(): Promise<void> {
  // Without a terminal there is nothing to tell.
}

async function killExec(child: ChildProcess, pidFile: string): Promise<void> {
  const pid = Number(await readFile(pidFile, "utf8").catch(() => "0"));
  if (child.exitCode === null && pid > 1) sendSignal(pid, "SIGKILL");
  child.kill("SIGKILL");
}

/** Runs a command to its end (probes, hooks) and keeps at most 10 KiB of its output. */
export async function execToEnd(
  target: ExecTarget,
  command: readonly string[],
  timeoutMs: number,
): Promise<{ exitCode: number; output: string; timedOut: boolean }> {
  const session = await startExec(target, { command, tty: false, stdin: false });
  let output = "";
  const collect = (chunk: Buffer): void => {
    if (output.length < 10_240) output += chunk.toString("utf8");
  };
  session.stdout.on("data", collect);
  session.stderr?.on("data", collect);
  let timedOut = false;
  const timer = AbortSignal.timeout(timeoutMs);
  const stop = (): void => {
    timedOut = true;
    void session.kill();
  };
  timer.addEventListener("abort", stop, { once: true });
  try {
    return { exitCode: await session.exitCode, output: output.slice(0, 10_240), timedOut };
  } finally {
    timer.removeEventListener("abort", stop);
    session.stdout.destroy();
    session.stderr?.destroy();
  }
}
