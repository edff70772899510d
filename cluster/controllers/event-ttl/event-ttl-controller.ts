/** Deletes Events whose time is over: the store has no leases of its own. */

import type { Event } from "#cluster/api/generated/core-v1.ts";
import { EVENTS } from "#cluster/api/resources.ts";
import { hasReason } from "#cluster/api/status-error.ts";
import { delay } from "#cluster/client/clock.ts";
import type { ControllerContext } from "#cluster/client/controller-context.ts";
import { describeError, stderrLog } from "#cluster/client/log.ts";

/** kube-apiserver's default of `--event-ttl`. */
const TTL_MS = 3_600_000;
const PERIOD_MS = 300_000;
const PAGE_SIZE = 500;

/** Sweeps every five minutes until the context's signal aborts. */
export async function runEventTtlController(context: ControllerContext): Promise<void> {
  const { clock, signal } = context;
  while (!signal.aborted) {
    try {
      await sweep(context);
    } catch (error) {
      if (!signal.aborted) stderrLog(`event-ttl-controller: ${describeError(error)}`);
    }
    await delay(PERIOD_MS, signal, clock);
  }
}

/** One pass over all pages. */
async function sweep({ client, clock, signal }: ControllerContext): Promise<void> {
  const oldestMs = clock.nowMs() - TTL_MS;
  let next: string | undefined;
  do {
    const page = await client.list(EVENTS, { limit: PAGE_SIZE, continue: next, signal });
    for (const event of page.items.filter((event) => lastSeenMs(event) < oldestMs)) {
      try {
        const { uid, resourceVersion } = event.metadata;
        const preconditions = { uid, resourceVersion };
        await client.delete(EVENTS, event.metadata, { preconditions, signal });
      } catch (error) {
        // Gone already, or it has just happened again.
        if (!hasReason(error, "NotFound") && !hasReason(error, "Conflict")) throw error;
      }
    }
    next = page.metadata.continue === "" ? undefined : page.metadata.continue;
  } while (next !== undefined);
}

/** When it last happened; an event without any time counts as new. */
function lastSeenMs({ series, lastTimestamp, eventTime, metadata }: Event): number {
  const times = [series?.lastObservedTime, lastTimestamp, eventTime, metadata.creationTimestamp];
  const ms = times.map((time) => Date.parse(time ?? "")).filter((time) => !Number.isNaN(time));
  return ms.length === 0 ? Number.POSITIVE_INFINITY : Math.max(...ms);
}
