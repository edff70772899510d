/** Events are news, not records: they go after an hour, as in Kubernetes (`--event-ttl`). */

import type { Event } from "#cluster/api/generated/core-v1.ts";
import { EVENTS } from "#cluster/api/resources.ts";
import type { RegistryContext } from "#cluster/apiserver/registry/context.ts";
import { collectionPrefix } from "./keys.ts";

const EVENT_TTL_MS = 3_600_000;
const INTERVAL_MS = 60_000;

/** Removes old events every minute until the signal aborts. */
export function expireEvents(context: RegistryContext, signal: AbortSignal): void {
  const timer = setInterval(() => {
    removeExpired(context).catch((error: unknown) => {
      if (!signal.aborted) console.error("removing old events failed:", error);
    });
  }, INTERVAL_MS).unref();
  signal.addEventListener("abort", () => clearInterval(timer), { once: true });
}

/** Removes the events that nothing has renewed for an hour. */
export async function removeExpired(context: RegistryContext): Promise<void> {
  const { store } = context;
  const listed = store.list(collectionPrefix(EVENTS));
  const before = context.now() - EVENT_TTL_MS;
  for (const { key, value, revision } of listed.ok ? listed.values : []) {
    const event = JSON.parse(value) as Event;
    const times = [event.lastTimestamp, event.eventTime, event.metadata.creationTimestamp];
    const newest = Math.max(...times.map((time) => Date.parse(time ?? "") || 0));
    // Renewed in between: then the condition fails, and that is right.
    if (newest < before) await store.deleteIf(key, revision);
  }
}
