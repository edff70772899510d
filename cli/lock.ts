/** Locks between commands, which the kernel gives back however their holder ends. */

import { mkdirSync } from "node:fs";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";

export interface Lock {
  release(): void;
}

const POLL_MS = 20;

/**
 * Takes the lock of a file, which is made and stays; undefined when another process has it. Node
 * has no flock: the lock is the one that SQLite puts on a database, here an empty one.
 */
export function tryLock(file: string): Lock | undefined {
  mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
  const database = new DatabaseSync(file, { timeout: 0 });
  try {
    database.exec("BEGIN EXCLUSIVE");
  } catch (error) {
    database.close();
    if (isBusy(error)) return undefined;
    throw new Error(`cannot lock ${file}`, { cause: error });
  }
  return {
    release: () => {
      database.close();
    },
  };
}

/** Waits for the lock; undefined when it isn't free within `boundMs`. Rejects on abort. */
export async function waitForLock(
  file: string,
  boundMs: number,
  signal?: AbortSignal,
): Promise<Lock | undefined> {
  const deadline = performance.now() + boundMs;
  for (;;) {
    signal?.throwIfAborted();
    const lock = tryLock(file);
    if (lock !== undefined || performance.now() > deadline) return lock;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/** SQLITE_BUSY of sqlite.org/rescode.html. */
function isBusy(error: unknown): boolean {
  return error instanceof Error && "errcode" in error && error.errcode === 5;
}
