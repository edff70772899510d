/** Bounds logs: a file over 10 MiB becomes FILE.1 and conmon begins a new one. */

import { constants } from "node:fs";
import { open, rename, stat } from "node:fs/promises";
import { join } from "node:path";
import type { ContainerStatus } from "./container.ts";

const MAX_BYTES = 10 << 20;
/** conmon's control message "reopen the logs". */
const REOPEN = "2 0 0\n";

/** Rotates the logs that have grown too large; answers with how many. */
export async function rotateLogs(options: {
  containers: readonly ContainerStatus[];
  containerDir: (id: string) => string;
  maxBytes?: number;
}): Promise<number> {
  let rotated = 0;
  for (const container of options.containers) {
    if (container.state !== "running") continue;
    const info = await stat(container.logPath).catch(() => undefined);
    if (info === undefined || info.size <= (options.maxBytes ?? MAX_BYTES)) continue;
    await rename(container.logPath, `${container.logPath}.1`);
    await tellConmon(join(options.containerDir(container.id), "bundle", "ctl"), REOPEN);
    rotated += 1;
  }
  return rotated;
}

/** Writes to conmon's FIFO without waiting for a reader; nobody reads when conmon has gone. */
export async function tellConmon(fifo: string, message: string): Promise<void> {
  const handle = await open(fifo, constants.O_WRONLY | constants.O_NONBLOCK).catch(
    (error: NodeJS.ErrnoException) => {
      if (error.code === "ENXIO" || error.code === "ENOENT") return undefined;
      throw error;
    },
  );
  if (handle === undefined) return;
  try {
    await handle.write(message);
  } finally {
    await handle.close();
  }
}
