/** Tells of containers' ends: conmon writes a file named by the container with its exit code. */

import { type FSWatcher, watch } from "node:fs";
import { readFile, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { isContainerId } from "./container-record.ts";

export interface ContainerExit {
  id: string;
  exitCode: number;
  /** RFC 3339. */
  finishedAt: string;
}

/** Calls back for each exit file, again for those that stay; `scan` looks without an event. */
export class ExitWatch {
  readonly #dir: string;
  readonly #onExit: (exit: ContainerExit) => Promise<void>;
  readonly #onProblem: (message: string) => void;
  #watcher: FSWatcher | undefined;
  #scanning: Promise<void> | undefined;
  #again = false;

  constructor(options: {
    dir: string;
    onExit: (exit: ContainerExit) => Promise<void>;
    onProblem: (message: string) => void;
  }) {
    this.#dir = options.dir;
    this.#onExit = options.onExit;
    this.#onProblem = options.onProblem;
  }

  start(): void {
    // The event names conmon's temporary file, so its name says nothing.
    this.#watcher = watch(this.#dir, () => void this.scan());
    this.#watcher.on("error", (error) => this.#onProblem(`exit watch: ${error.message}`));
  }

  stop(): void {
    this.#watcher?.close();
  }

  /** Resolves when a look that began after the call is done. */
  async scan(): Promise<void> {
    if (this.#scanning !== undefined) {
      this.#again = true;
      return this.#scanning;
    }
    this.#scanning = this.#scanAll().finally(() => {
      this.#scanning = undefined;
    });
    return this.#scanning;
  }

  async #scanAll(): Promise<void> {
    do {
      this.#again = false;
      for (const name of await readdir(this.#dir)) {
        if (!isContainerId(name)) continue;
        const exit = await this.#read(name);
        if (exit !== undefined) await this.#onExit(exit);
      }
    } while (this.#again);
  }

  async #read(id: string): Promise<ContainerExit | undefined> {
    const file = join(this.#dir, id);
    const [text, info] = await Promise.all([
      readFile(file, "utf8").catch(() => undefined),
      stat(file).catch(() => undefined),
    ]);
    if (text === undefined || info === undefined) return undefined;
    const exitCode = Number.parseInt(text, 10);
    if (Number.isNaN(exitCode)) return undefined;
    return { id, exitCode, finishedAt: info.mtime.toISOString() };
  }
}
