/** Choosing localhost ports. */

import { UsageError } from "#cli/state.ts";
import { isPortFree } from "#cluster/localhost/port-free.ts";

const PORTS_TRIED = 200;

/** The first free port from `start` on; throws UsageError after a bounded search. */
export async function freePort(start: number): Promise<number> {
  for (let port = start; port < start + PORTS_TRIED; port++) {
    if (await isPortFree(port)) return port;
  }
  throw new UsageError(`no free port on 127.0.0.1 between ${start} and ${start + PORTS_TRIED}`);
}
