/** One atomic transaction of nftables: all statements take effect at once, or none. */

import { spawn } from "node:child_process";
import type { Statement } from "./command.ts";

export type NftResult =
  | { ok: true }
  /** `service` is empty when the failing statement is the table's own or isn't known. */
  | { ok: false; service: string; message: string };

/** The kernel's rules as the proxy sees them; `FakeNft` is the other implementation. */
export interface Nft {
  /** Rejects only when nft can't be run at all. */
  apply(statements: readonly Statement[], signal?: AbortSignal): Promise<NftResult>;
}

const TIMEOUT_MS = 60_000;
const MAX_STDERR_BYTES = 64 << 10;

/** The `nft` program, in the network namespace of this process. */
export const systemNft: Nft = {
  async apply(statements, signal) {
    if (statements.length === 0) return { ok: true };
    const timeout = AbortSignal.timeout(TIMEOUT_MS);
    const stopped = signal === undefined ? timeout : AbortSignal.any([signal, timeout]);
    const input = `${statements.map((statement) => statement.text).join("\n")}\n`;
    const { code, stderr } = await run(input, stopped);
    return code === 0 ? { ok: true } : failure(statements, stderr);
  },
};

/** nft names the line of each failing statement; one failure explains the transaction's. */
export function failure(statements: readonly Statement[], stderr: string): NftResult {
  const match = /^[^\n:]+:([0-9]+):[-0-9]+: (.*)$/m.exec(stderr);
  const statement = match === null ? undefined : statements[Number(match[1]) - 1];
  if (statement === undefined) return { ok: false, service: "", message: stderr.trim() };
  const shown = statement.text.length > 200 ? `${statement.text.slice(0, 200)}…` : statement.text;
  return { ok: false, service: statement.service, message: `${match?.[2] ?? ""} in "${shown}"` };
}

function run(input: string, signal: AbortSignal): Promise<{ code: number; stderr: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn("nft", ["-f", "-"], { signal, stdio: ["pipe", "ignore", "pipe"] });
    let stderr = "";
    child.stderr.on("data", (chunk: Buffer) => {
      if (stderr.length < MAX_STDERR_BYTES) stderr += chunk.toString();
    });
    let failure: Error | undefined;
    child.on("error", (cause: NodeJS.ErrnoException) => {
      const mend = cause.code === "ENOENT" ? ' (install it: "apt-get install nftables")' : "";
      failure = new Error(`nft could not be run${mend}: ${cause.message}`, { cause });
      // One that is told to stop still works until it has ended.
      if (child.pid === undefined) reject(failure);
    });
    child.on("close", (code) => {
      if (failure !== undefined) reject(failure);
      else resolve({ code: code ?? 1, stderr });
    });
    // nft may end before it has read everything; its exit code tells.
    child.stdin.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "EPIPE") reject(error);
    });
    child.stdin.end(input);
  });
}
