/**
 * Runs a test's script in a network namespace of its own that plays the host, so that no link or
 * route of the real host is touched. Scripts print one line of JSON.
 */

import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { namespaceCommand } from "#cluster/network/run-in-namespace.ts";

const execute = promisify(execFile);

/** Namespaces need root; tests that use them say so and are skipped without. */
export const canMakeNamespaces = process.getuid?.() === 0;

/** Gives the test a fresh namespace and removes it afterwards. */
export async function withFakeHost<R>(test: (host: string) => Promise<R>): Promise<R> {
  const host = `lt-h5-host-${process.pid}-${Math.floor(Math.random() * 1e6)}`;
  await execute("ip", ["netns", "add", host]);
  try {
    return await test(host);
  } finally {
    await execute("ip", ["netns", "del", host]);
  }
}

/** The parsed last line of the Node script's stdout; rejects with its stderr when it fails. */
export async function runInNamespace(
  namespace: string,
  script: readonly string[],
): Promise<unknown> {
  const [command, ...rest] = namespaceCommand(namespace, [process.execPath, ...script]);
  const { stdout } = await execute(command, rest, { timeout: 60_000, env: childEnv() });
  return JSON.parse(stdout.trim().split("\n").at(-1) ?? "");
}

/** Jest's own Node options are not for the script. */
function childEnv(): NodeJS.ProcessEnv {
  const { NODE_OPTIONS: _ignored, ...env } = process.env;
  return env;
}
