/** Runs iproute2: many changes as one `ip -batch`, reads as JSON; never through a shell. */

import { spawn } from "node:child_process";
import { namespaceCommand } from "./run-in-namespace.ts";

const TIMEOUT_MS = 20_000;
const MAX_OUTPUT_BYTES = 16 << 20;

export interface IpOptions {
  /** Name of the network namespace to work in; this process's own when absent. */
  namespace?: string;
  signal?: AbortSignal;
}

/**
 * Applies the lines in order and stops at the first that fails; the error names that line. The
 * lines before it stay applied: callers are idempotent and run again.
 */
export async function applyIp(lines: readonly string[], options: IpOptions = {}): Promise<void> {
  if (lines.length === 0) return;
  const result = await run(["ip", "-batch", "-"], options, `${lines.join("\n")}\n`);
  if (result.code === 0) return;
  const number = /Command failed -:([0-9]+)/.exec(result.stderr)?.[1];
  const failed = number === undefined ? undefined : lines[Number(number) - 1];
  throw new Error(
    `"ip ${failed ?? lines.join("; ")}"${placeOf(options)} failed: ${explain(result.stderr)}`,
  );
}

/** The parsed answer of `ip -json ARGS`; an empty answer is an empty list. */
export async function readIp(args: readonly string[], options: IpOptions = {}): Promise<unknown[]> {
  const result = await run(["ip", "-json", ...args], options, "");
  if (result.code !== 0) {
    throw new Error(`"ip ${args.join(" ")}"${placeOf(options)} failed: ${explain(result.stderr)}`);
  }
  const parsed: unknown = result.stdout.trim() === "" ? [] : JSON.parse(result.stdout);
  return Array.isArray(parsed) ? parsed : [];
}

/** Writes `value` to keys such as `net/ipv4/ip_forward` of the namespace's own /proc/sys. */
export async function writeSysctls(
  namespace: string,
  keys: readonly string[],
  value: string,
  signal?: AbortSignal,
): Promise<void> {
  const files = keys.map((key) => `/proc/sys/${key}`);
  const result = await run(["tee", "--", ...files], { namespace, signal }, value);
  if (result.code !== 0) {
    throw new Error(`setting ${keys.join(", ")} in ${namespace} failed: ${explain(result.stderr)}`);
  }
}

interface Result {
  code: number;
  stdout: string;
  stderr: string;
}

async function run(
  args: readonly [string, ...string[]],
  options: IpOptions,
  stdin: string,
): Promise<Result> {
  const [command, ...rest] = namespaceCommand(options.namespace, args);
  const timeout = AbortSignal.timeout(TIMEOUT_MS);
  const signal =
    options.signal === undefined ? timeout : AbortSignal.any([options.signal, timeout]);
  return new Promise<Result>((resolve, reject) => {
    const child = spawn(command, rest, { signal });
    const stdout = collect(child.stdout);
    const stderr = collect(child.stderr);
    let failure: Error | undefined;
    child.on("error", (cause) => {
      failure = startError(command, cause);
      // One that is told to stop still works until it has ended: nobody may tidy up before.
      if (child.pid === undefined) reject(failure);
    });
    child.on("close", (code) => {
      if (failure !== undefined) reject(failure);
      else resolve({ code: code ?? 1, stdout: stdout(), stderr: stderr() });
    });
    // A program that ends before it has read everything: its exit code tells what happened.
    child.stdin.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "EPIPE") reject(error);
    });
    child.stdin.end(stdin);
  });
}

function collect(stream: NodeJS.ReadableStream): () => string {
  const chunks: Buffer[] = [];
  let size = 0;
  stream.on("data", (chunk: Buffer) => {
    size += chunk.length;
    if (size <= MAX_OUTPUT_BYTES) chunks.push(chunk);
  });
  return () => Buffer.concat(chunks).toString();
}

function startError(command: string, cause: NodeJS.ErrnoException): Error {
  if (cause.code === "ENOENT") {
    const debianPackage = command === "ip" ? "iproute2" : "util-linux";
    const mend = `apt-get install ${debianPackage}`;
    return new Error(`the program "${command}" is missing: install it ("${mend}")`, { cause });
  }
  return new Error(`"${command}" could not be run: ${cause.message}`, { cause });
}

function explain(stderr: string): string {
  const text = stderr
    .replaceAll(/Command failed -:[0-9]+/g, "")
    .trim()
    .replaceAll(/\s*\n\s*/g, "; ");
  const forbidden = /Operation not permitted|Permission denied/.test(text);
  return forbidden ? `${text} (Lateen needs root to make network namespaces: use sudo)` : text;
}

function placeOf(options: IpOptions): string {
  return options.namespace === undefined ? "" : ` in namespace ${options.namespace}`;
}
