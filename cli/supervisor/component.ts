/** One supervised process: started, watched, restarted with backoff, stopped. */

import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { closeSync, fstatSync, mkdirSync, openSync, readSync } from "node:fs";
import path from "node:path";
import { createInterface } from "node:readline";
import { UsageError } from "#cli/state.ts";
import type { ProcessIdentity } from "./process-table.ts";
import { endProcess, identify } from "./process-table.ts";

/** How to run a component, and how to know that it serves. */
export interface ComponentSpec {
  name: string;
  command: string;
  args: readonly string[];
  env?: NodeJS.ProcessEnv;
  /** Working directory; the supervisor's own when absent. */
  cwd?: string;
  /** Gets the process's stderr (and stdout after the READY line). */
  logFile: string;
  /** Polled for a program that prints no READY line of ours (Envoy). */
  isReady?: () => Promise<boolean>;
}

/** What `status` shows of a component. */
export interface ComponentState {
  name: string;
  /** Absent while it is being restarted. */
  process?: ProcessIdentity;
  ready: boolean;
  restarts: number;
}

const FIRST_BACKOFF_MS = 50;
const MAX_BACKOFF_MS = 10_000;
/** A process that served for this long starts with the first backoff again. */
const STABLE_MS = 2_000;
const STOP_GRACE_MS = 8_000;
const READY_POLL_MS = 25;
/** Restarts without ever having served, after which waiting for it is given up. */
const FUTILE_STARTS = 2;
const LOG_TAIL_BYTES = 8_192;

export class Component {
  readonly spec: ComponentSpec;
  readonly #onChange: () => void;
  #state: ComponentState;
  #child: ChildProcess | undefined;
  #stopping = false;
  #backoffMs = FIRST_BACKOFF_MS;
  #restartTimer: NodeJS.Timeout | undefined;
  #readyAt: number | undefined;
  #lastExit = "";
  #readyWaiters: { resolve: () => void; reject: () => void }[] = [];

  constructor(spec: ComponentSpec, onChange: () => void) {
    this.spec = spec;
    this.#onChange = onChange;
    this.#state = { name: spec.name, ready: false, restarts: 0 };
  }

  get state(): ComponentState {
    return this.#state;
  }

  /** How the process ended last, for messages; empty when it never did. */
  get lastExit(): string {
    return this.#lastExit;
  }

  /** Starts the process; it is kept running until `stop`. */
  start(): void {
    mkdirSync(path.dirname(this.spec.logFile), { recursive: true });
    const log = openSync(this.spec.logFile, "a", 0o600);
    this.#readyAt = undefined;
    // In a session of its own: a Ctrl-C in the terminal is the supervisor's to handle.
    const child = spawn(this.spec.command, this.spec.args, {
      detached: true,
      cwd: this.spec.cwd,
      env: { ...process.env, ...this.spec.env },
      stdio: ["ignore", this.spec.isReady === undefined ? "pipe" : log, log],
    });
    closeSync(log);
    this.#child = child;
    child.on("error", (error) => {
      this.#ended(`cannot be started: ${error.message}`);
    });
    child.on("exit", (code, signal) => {
      this.#ended(signal === null ? `exited with code ${code}` : `ended by ${signal}`);
    });
    if (child.pid !== undefined) void this.#watchReadiness(child, child.pid);
  }

  /**
   * Resolves when the component serves; rejects when the signal aborts first, or when the process
   * keeps ending before it ever served.
   */
  async waitReady(signal: AbortSignal): Promise<void> {
    if (this.#state.ready) return;
    await new Promise<void>((resolve, reject) => {
      const fail = (): void => {
        reject(new UsageError(this.#whyNotReady()));
      };
      signal.addEventListener("abort", fail, { once: true });
      this.#readyWaiters.push({
        resolve: () => {
          signal.removeEventListener("abort", fail);
          resolve();
        },
        reject: fail,
      });
      if (signal.aborted) fail();
    });
  }

  #whyNotReady(): string {
    const { name, logFile } = this.spec;
    if (this.#lastExit === "") return `${name} is not ready in time: see ${logFile}`;
    const reason = lastError(logFile);
    return `${name} ${this.#lastExit}${reason === "" ? "" : `: ${reason}`} (${logFile})`;
  }

  /** Ends the process and keeps it ended. */
  async stop(): Promise<void> {
    this.#stopping = true;
    clearTimeout(this.#restartTimer);
    const process_ = this.#state.process;
    if (process_ !== undefined) await endProcess(process_, STOP_GRACE_MS);
    this.#update({ ready: false });
  }

  async #watchReadiness(child: ChildProcess, pid: number): Promise<void> {
    const identity = await identify(pid);
    if (this.#child !== child || identity === undefined) return;
    this.#update({ process: identity, ready: false });
    if (child.stdout !== null) {
      // The pipe is drained for ever: a full one would block the process.
      createInterface({ input: child.stdout }).on("line", (line) => {
        if (line.startsWith("READY") && this.#child === child) this.#becameReady();
      });
      return;
    }
    await this.#pollReadiness(child);
  }

  async #pollReadiness(child: ChildProcess): Promise<void> {
    while (this.#child === child && !this.#stopping) {
      if ((await this.spec.isReady?.()) === true && this.#child === child) {
        this.#becameReady();
        return;
      }
      await new Promise((resolve) => setTimeout(resolve, READY_POLL_MS));
    }
  }

  #becameReady(): void {
    this.#readyAt = performance.now();
    this.#update({ ready: true });
    for (const waiter of this.#readyWaiters.splice(0)) waiter.resolve();
  }

  #ended(how: string): void {
    if (this.#child === undefined) return;
    this.#child = undefined;
    this.#lastExit = how;
    this.#update({ process: undefined, ready: false });
    if (this.#stopping) return;
    if (this.#state.restarts >= FUTILE_STARTS) {
      for (const waiter of this.#readyWaiters.splice(0)) waiter.reject();
    }
    const servedMs = this.#readyAt === undefined ? 0 : performance.now() - this.#readyAt;
    if (servedMs > STABLE_MS) this.#backoffMs = FIRST_BACKOFF_MS;
    this.#restartTimer = setTimeout(() => {
      this.#update({ restarts: this.#state.restarts + 1 });
      this.start();
    }, this.#backoffMs);
    this.#backoffMs = Math.min(this.#backoffMs * 2, MAX_BACKOFF_MS);
  }

  #update(change: Partial<ComponentState>): void {
    this.#state = { ...this.#state, ...change };
    this.#onChange();
  }
}

/** The last line of a log that reads like an error's message, else the last; empty without any. */
function lastError(logFile: string): string {
  const file = openSync(logFile, "r");
  try {
    const { size } = fstatSync(file);
    const buffer = Buffer.alloc(Math.min(size, LOG_TAIL_BYTES));
    readSync(file, buffer, 0, buffer.length, size - buffer.length);
    const lines = buffer.toString("utf8").split("\n");
    const line = lines.findLast((line) => /^\w*Error:/.test(line)) ?? lines.findLast(Boolean) ?? "";
    return line.replace(/^\d{4}-\d\d-\d\dT[\d:.]+Z /, "");
  } finally {
    closeSync(file);
  }
}
