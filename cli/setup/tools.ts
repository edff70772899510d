/** Finding programs, and running the ones that set-up needs. */

import { spawn } from "node:child_process";
import { constants } from "node:fs";
import { access } from "node:fs/promises";
import path from "node:path";

/** Folders that a root shell has and a plain `su`, a cron job or a service's `npm` may not. */
const SYSTEM_FOLDERS = ["/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/bin", "/bin"];

/** Puts the system's folders behind those of the PATH, for this process and all that it starts. */
export function completePath(): void {
  const folders = (process.env.PATH ?? "").split(path.delimiter).filter((folder) => folder !== "");
  const missing = SYSTEM_FOLDERS.filter((folder) => !folders.includes(folder));
  process.env.PATH = [...folders, ...missing].join(path.delimiter);
}

/** The absolute path of a program on the PATH, if there is one. */
export async function findProgram(name: string): Promise<string | undefined> {
  for (const folder of (process.env.PATH ?? "").split(path.delimiter)) {
    const file = path.join(folder, name);
    if (folder !== "" && (await isExecutable(file))) return file;
  }
  return undefined;
}

/** Whether a file is there and may be executed. */
export async function isExecutable(file: string): Promise<boolean> {
  return access(file, constants.X_OK).then(
    () => true,
    () => false,
  );
}

export interface RunResult {
  code: number;
  stdout: string;
  stderr: string;
}

export interface RunOptions {
  cwd?: string;
  env?: NodeJS.ProcessEnv;
  signal?: AbortSignal;
  /** Called with each line of stderr and stdout while the program runs. */
  onLine?: (line: string) => void;
}

/** At most this much of each stream is kept. */
const MAX_OUTPUT_BYTES = 4 * 1024 * 1024;

/** Runs a program to its end; a program that can't be started rejects. */
export async function run(
  program: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<RunResult> {
  const child = spawn(program, args, {
    cwd: options.cwd,
    env: options.env ?? process.env,
    signal: options.signal,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const collect = (stream: NodeJS.ReadableStream): { text: () => string } => {
    let text = "";
    let line = "";
    stream.setEncoding("utf8");
    stream.on("data", (chunk: string) => {
      if (text.length < MAX_OUTPUT_BYTES) text += chunk;
      const parts = (line + chunk).split("\n");
      line = parts.pop() ?? "";
      for (const part of parts) options.onLine?.(part);
    });
    return { text: () => text };
  };
  const stdout = collect(child.stdout);
  const stderr = collect(child.stderr);
  return new Promise((resolve, reject) => {
    let failure: Error | undefined;
    child.on("error", (error) => {
      failure = new Error(`cannot run ${program}: ${error.message}`, { cause: error });
      // One that is told to stop still works until it has ended: nobody may tidy up before.
      if (child.pid === undefined) reject(failure);
    });
    child.on("close", (code) => {
      if (failure !== undefined) reject(failure);
      else resolve({ code: code ?? 1, stdout: stdout.text(), stderr: stderr.text() });
    });
  });
}
