/** Reads a container's log file as `kubectl logs` asks for it. */

import { type FSWatcher, watch } from "node:fs";
import { type FileHandle, open, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { type LogLine, parseLogLine, renderLogLine } from "./log-line.ts";

export interface LogOptions {
  /** Goes on until the container has ended and everything is read. */
  follow: boolean;
  timestamps: boolean;
  tailLines?: number;
  /** Lines of before are left out. */
  sinceMs?: number;
  limitBytes?: number;
  stream?: "stdout" | "stderr";
  signal: AbortSignal;
  /** Whether the container may still write. */
  isRunning: () => boolean;
}

const CHUNK_BYTES = 64 << 10;
const MAX_LINE_BYTES = 1 << 20;
/** How long a follower sleeps at most when no event of the file comes. */
const MAX_SLEEP_MS = 1000;

/** Pieces of output in order; a log that doesn't exist (yet) is empty. */
export async function* readLog(path: string, options: LogOptions): AsyncGenerator<Buffer> {
  let left = options.limitBytes ?? Number.POSITIVE_INFINITY;
  for await (const line of logLines(path, options)) {
    if (options.stream !== undefined && line.stream !== options.stream) continue;
    if (options.sinceMs !== undefined && Date.parse(line.time) < options.sinceMs) continue;
    const piece = renderLogLine(line, options.timestamps);
    if (piece.length >= left) {
      yield piece.subarray(0, left);
      return;
    }
    left -= piece.length;
    yield piece;
  }
}

async function* logLines(path: string, options: LogOptions): AsyncGenerator<LogLine> {
  if (options.tailLines === 0 && !options.follow) return;
  const waiter = options.follow ? new ChangeWaiter(dirname(path), options.signal) : undefined;
  let file: LogFile | undefined;
  try {
    file = await LogFile.open(path, options.tailLines);
    while (!options.signal.aborted) {
      const wasRunning = options.isRunning();
      waiter?.arm();
      for (;;) {
        const lines = (await file?.nextLines()) ?? [];
        if (lines.length === 0) break;
        yield* lines;
      }
      if (waiter === undefined) return;
      if (file === undefined || (await file.isReplaced())) {
        const next = await LogFile.open(path);
        if (next !== undefined) {
          await file?.close();
          file = next;
          continue;
        }
      }
      if (!wasRunning) return;
      await waiter.wait();
    }
  } finally {
    waiter?.close();
    await file?.close();
  }
}

/** An open log file with the place up to which it was read. */
class LogFile {
  readonly #path: string;
  readonly #handle: FileHandle;
  readonly #inode: number;
  #offset: number;
  #rest = Buffer.alloc(0);

  private constructor(path: string, handle: FileHandle, inode: number, offset: number) {
    this.#path = path;
    this.#handle = handle;
    this.#inode = inode;
    this.#offset = offset;
  }

  static async open(path: string, tailLines?: number): Promise<LogFile | undefined> {
    const handle = await open(path, "r").catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return undefined;
      throw error;
    });
    if (handle === undefined) return undefined;
    const info = await handle.stat();
    const offset = tailLines === undefined ? 0 : await tailOffset(handle, info.size, tailLines);
    return new LogFile(path, handle, info.ino, offset);
  }

  /** The complete lines of the next piece of the file; empty at its end. */
  async nextLines(): Promise<LogLine[]> {
    for (;;) {
      const chunk = Buffer.alloc(CHUNK_BYTES);
      const { bytesRead } = await this.#handle.read(chunk, 0, CHUNK_BYTES, this.#offset);
      if (bytesRead === 0) return [];
      this.#offset += bytesRead;
      const lines = this.#split(Buffer.concat([this.#rest, chunk.subarray(0, bytesRead)]));
      if (lines.length > 0) return lines;
    }
  }

  #split(content: Buffer): LogLine[] {
    const lines: LogLine[] = [];
    let start = 0;
    for (let end = content.indexOf(10); end >= 0; end = content.indexOf(10, start)) {
      const line = parseLogLine(content.subarray(start, end));
      if (line !== undefined) lines.push(line);
      start = end + 1;
    }
    const rest = content.subarray(start);
    this.#rest = rest.length > MAX_LINE_BYTES ? Buffer.alloc(0) : Buffer.from(rest);
    return lines;
  }

  /** Whether rotation has put another file at the path. */
  async isReplaced(): Promise<boolean> {
    const info = await stat(this.#path).catch(() => undefined);
    return info !== undefined && info.ino !== this.#inode;
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }
}

/** Where the last `lines` lines begin. */
async function tailOffset(handle: FileHandle, size: number, lines: number): Promise<number> {
  if (lines <= 0) return size;
  let end = size;
  // The newline at the very end closes the last line.
  let wanted = lines + 1;
  while (end > 0) {
    const start = Math.max(0, end - CHUNK_BYTES);
    const chunk = Buffer.alloc(end - start);
    await handle.read(chunk, 0, chunk.length, start);
    for (let index = chunk.lastIndexOf(10); index >= 0; index = lastNewline(chunk, index)) {
      wanted -= 1;
      if (wanted === 0) return start + index + 1;
    }
    end = start;
  }
  return 0;
}

function lastNewline(chunk: Buffer, before: number): number {
  return before === 0 ? -1 : chunk.lastIndexOf(10, before - 1);
}

/** Sleeps until something happens in a folder; nothing that happens after `arm` is missed. */
class ChangeWaiter {
  readonly #signal: AbortSignal;
  readonly #watcher: FSWatcher | undefined;
  #changed = false;
  #wake: () => void = () => undefined;

  constructor(folder: string, signal: AbortSignal) {
    this.#signal = signal;
    try {
      this.#watcher = watch(folder, () => this.#notify());
      this.#watcher.on("error", () => this.#notify());
    } catch {
      // The folder isn't there yet, or watches are used up: then the bounded sleep does it.
      this.#watcher = undefined;
    }
    signal.addEventListener("abort", this.#notify, { once: true });
  }

  arm(): void {
    this.#changed = false;
  }

  async wait(): Promise<void> {
    if (this.#changed || this.#signal.aborted) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, MAX_SLEEP_MS);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  readonly #notify = (): void => {
    this.#changed = true;
    this.#wake();
  };

  close(): void {
    this.#watcher?.close();
    this.#signal.removeEventListener("abort", this.#notify);
  }
}
