/** The default driver: SQLite in a worker thread, write-ahead log, synchronous=FULL. */

import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import { Worker } from "node:worker_threads";
import type { Journal, JournalEntry, JournalState } from "./journal.ts";
import { JournaledStore } from "./journaled-store.ts";
import type { HistoryBounds } from "./revision-cache.ts";
import type { FromWorker, ToWorker } from "./sqlite-messages.ts";
import { StoreError, type Store, type StoredValue } from "./store.ts";

/** SQLite's primary result codes (sqlite.org/rescode.html) with what to do about them. */
const REMEDIES: ReadonlyMap<number, string> = new Map([
  [5, "another process has it open; end that process first"],
  [8, "it is read-only; check its owner and the mount"],
  [10, "the disk failed to read or write; check the disk and the kernel's log"],
  [11, "it is corrupt; restore a copy, or move the file away to start with an empty cluster"],
  [13, "the disk is full; free some space, then try again"],
  [14, "it can't be opened; check that the folder exists and is writable"],
  [26, "it is not a store of Lateen; move the file away to start with an empty cluster"],
]);

/**
 * Opens (or creates, with its folder) the store in a file, with everything read into memory.
 * Rejects with a StoreError that names the file when it is corrupt, locked or not a store.
 */
export async function openSqliteStore(file: string, bounds?: HistoryBounds): Promise<Store> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  const journal = new SqliteJournal(file);
  return new JournaledStore(journal, await journal.load(), bounds);
}

class SqliteJournal implements Journal {
  readonly #file: string;
  readonly #worker: Worker;
  readonly #loading: StoredValue[] = [];
  #pending: { resolve: (revision: number) => void; reject: (error: Error) => void } | undefined;
  #broken: StoreError | undefined;

  constructor(file: string) {
    this.#file = file;
    this.#worker = new Worker(new URL("sqlite-worker.ts", import.meta.url), {
      workerData: { file },
    });
    this.#worker.on("message", (message: FromWorker) => this.#receive(message));
    this.#worker.on("error", (error) => this.#break(String(error), error));
    this.#worker.on("exit", () => this.#break("its writer thread has ended"));
  }

  async load(): Promise<JournalState> {
    try {
      const revision = await this.#answer();
      return { values: this.#loading.splice(0), revision };
    } catch (error) {
      await this.#worker.terminate();
      throw error;
    }
  }

  async append(entries: readonly JournalEntry[]): Promise<void> {
    await this.#request({ kind: "append", entries });
  }

  async close(): Promise<void> {
    const ended = new Promise((resolve) => this.#worker.once("exit", resolve));
    if (this.#broken === undefined) await this.#request({ kind: "close" });
    else await this.#worker.terminate();
    await ended;
  }

  #request(message: ToWorker): Promise<number> {
    if (this.#broken !== undefined) return Promise.reject(this.#broken);
    this.#worker.postMessage(message);
    return this.#answer();
  }

  #answer(): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#pending = { resolve, reject };
    });
  }

  #receive(message: FromWorker): void {
    const pending = this.#pending;
    switch (message.kind) {
      case "values":
        for (const value of message.values) this.#loading.push(value);
        return;
      case "loaded":
        pending?.resolve(message.revision);
        break;
      case "done":
        pending?.resolve(0);
        break;
      case "failed":
        pending?.reject(this.#describe(message.message, message.code));
        break;
    }
    this.#pending = undefined;
  }

  #break(reason: string, cause?: unknown): void {
    this.#broken ??= new StoreError(`store ${this.#file}: ${reason}`, { cause });
    this.#pending?.reject(this.#broken);
    this.#pending = undefined;
  }

  #describe(message: string, code: number): StoreError {
    const remedy = REMEDIES.get(code & 0xff);
    const text = remedy === undefined ? message : `${message}: ${remedy}`;
    return new StoreError(`store ${this.#file}: ${text}`);
  }
}
