/** Workers that take keys from a queue and bring the world closer to what is wanted. */

import { hasReason, isNamespaceTerminating } from "#cluster/api/status-error.ts";
import { describeError, stderrLog } from "./log.ts";
import type { Log } from "./log.ts";
import type { WorkQueue } from "./work-queue.ts";

export interface ReconcilerOptions {
  /** For the log. */
  name: string;
  queue: WorkQueue;
  /** Looks at the present state of the key's object; throws to be called again with backoff. */
  reconcile(key: string, signal: AbortSignal): Promise<void>;
  /** Keys worked on at a time. */
  concurrency: number;
  signal: AbortSignal;
  log?: Log;
}

/** Works until the signal aborts and the reconciles under way have ended; closes the queue. */
export async function runReconciler(options: ReconcilerOptions): Promise<void> {
  const { queue, signal } = options;
  const close = (): void => queue.close();
  if (signal.aborted) close();
  signal.addEventListener("abort", close, { once: true });
  try {
    await Promise.all(Array.from({ length: options.concurrency }, () => work(options)));
  } finally {
    signal.removeEventListener("abort", close);
  }
}

async function work(options: ReconcilerOptions): Promise<void> {
  const { queue, signal } = options;
  for (;;) {
    const key = await queue.take();
    if (key === undefined) return;
    try {
      await options.reconcile(key, signal);
      queue.forget(key);
    } catch (error) {
      if (isNamespaceTerminating(error)) {
        // What is wanted there will never be: the namespace takes it all with it.
        queue.forget(key);
      } else if (!signal.aborted) {
        // A stale read is the everyday case: the informer is about to bring the newer object.
        if (!hasReason(error, "Conflict")) {
          (options.log ?? stderrLog)(`${options.name}: ${key}: ${describeError(error)}; retrying`);
        }
        queue.addRateLimited(key);
      }
    } finally {
      queue.done(key);
    }
  }
}
