/** Records what happened to objects as core/v1 Events, as `kubectl describe` shows them. */

import { randomInt } from "node:crypto";
import { LRUCache } from "lru-cache";
import type { AnyObject } from "#cluster/api/meta.ts";
import type { ObjectReference } from "#cluster/api/generated/core-v1.ts";
import { apiVersionOf, EVENTS } from "#cluster/api/resources.ts";
import type { Resource } from "#cluster/api/resources.ts";
import { hasReason, isNamespaceTerminating } from "#cluster/api/status-error.ts";
import type { KubeClient } from "./client.ts";
import { rfc3339, systemClock } from "./clock.ts";
import type { Clock } from "./clock.ts";
import { describeError, stderrLog } from "./log.ts";
import type { Log } from "./log.ts";

const MAX_PENDING = 1_000;
const MAX_REMEMBERED = 4_096;
/** Kubernetes' limit of an event's message. */
const MAX_MESSAGE_LENGTH = 1_024;

export interface Happening {
  involved: ObjectReference;
  type: "Normal" | "Warning";
  /** One word in CamelCase, for machines. */
  reason: string;
  message: string;
}

export interface RecorderOptions {
  client: KubeClient;
  /** `source.component`, for example `deployment-controller`. */
  component: string;
  /** `source.host`, for node agents. */
  host?: string;
  clock?: Clock;
  log?: Log;
  /** What isn't written when it aborts is dropped. */
  signal?: AbortSignal;
}

/** Occurrences not yet written, of one (object, type, reason, message). */
interface Pending {
  happening: Happening;
  occurrences: number;
  firstMs: number;
  lastMs: number;
}

interface Written {
  namespace: string;
  name: string;
  count: number;
}

/** The `involvedObject` for an object of a resource. */
export function referenceTo(resource: Resource<AnyObject>, object: AnyObject): ObjectReference {
  return {
    kind: resource.kind,
    apiVersion: apiVersionOf(resource),
    namespace: object.metadata.namespace,
    name: object.metadata.name,
    uid: object.metadata.uid,
    resourceVersion: object.metadata.resourceVersion,
  };
}

/**
 * Writes in the background and never fails its caller. The same happening again raises the count
 * of its Event; what repeats faster than it can be written is written once.
 */
export class EventRecorder {
  readonly #options: RecorderOptions;
  readonly #clock: Clock;
  readonly #pending = new Map<string, Pending>();
  readonly #written = new LRUCache<string, Written>({ max: MAX_REMEMBERED });
  #writing: Promise<void> | undefined;
  #lastNanos = 0n;

  constructor(options: RecorderOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  record(happening: Happening): void {
    const key = keyOf(happening);
    const nowMs = this.#clock.nowMs();
    const pending = this.#pending.get(key);
    if (pending !== undefined) {
      pending.occurrences += 1;
      pending.lastMs = nowMs;
      return;
    }
    // Losing an event is better than growing without bound while the server is away.
    if (this.#pending.size >= MAX_PENDING) return;
    this.#pending.set(key, { happening, occurrences: 1, firstMs: nowMs, lastMs: nowMs });
    this.#writing ??= this.#writeAll();
  }

  /** Resolves when everything recorded so far is written or given up. */
  async flush(): Promise<void> {
    await this.#writing;
  }

  async #writeAll(): Promise<void> {
    // Let the caller's turn end first: it may record the same again.
    await Promise.resolve();
    for (;;) {
      if (this.#options.signal?.aborted === true) this.#pending.clear();
      const next = this.#pending.entries().next();
      if (next.done === true) break;
      const [key, pending] = next.value;
      this.#pending.delete(key);
      try {
        await this.#write(key, pending);
      } catch (error) {
        // Nobody will read what happens in a namespace that goes.
        if (isNamespaceTerminating(error) || this.#options.signal?.aborted === true) continue;
        const log = this.#options.log ?? stderrLog;
        log(`event ${pending.happening.reason}: ${describeError(error)}`);
      }
    }
    this.#writing = undefined;
  }

  async #write(key: string, pending: Pending): Promise<void> {
    const known = this.#written.get(key);
    if (known !== undefined) {
      const count = known.count + pending.occurrences;
      try {
        await this.#options.client.patch(EVENTS, known, {
          type: "merge",
          body: { count, lastTimestamp: rfc3339(pending.lastMs) },
        });
        this.#written.set(key, { ...known, count });
        return;
      } catch (error) {
        // Its time to live has passed: a new Event begins.
        if (!hasReason(error, "NotFound")) throw error;
      }
    }
    await this.#create(key, pending);
  }

  /**
   * client-go's: hexadecimal nanoseconds, so that events of an object are listed in the order in
   * which they happened. Counted on from the last, for two of one millisecond.
   */
  #suffix(ms: number): string {
    const nanos = BigInt(ms) * 1_000_000n + BigInt(randomInt(1_000));
    this.#lastNanos = nanos > this.#lastNanos ? nanos : this.#lastNanos + 1n;
    return this.#lastNanos.toString(16);
  }

  async #create(key: string, pending: Pending): Promise<void> {
    const { involved, type, reason, message } = pending.happening;
    const { component, host } = this.#options;
    const namespace =
      involved.namespace === undefined || involved.namespace === ""
        ? "default"
        : involved.namespace;
    const name = `${involved.name ?? "unknown"}.${this.#suffix(pending.firstMs)}`;
    await this.#options.client.create(EVENTS, {
      metadata: { namespace, name },
      involvedObject: involved,
      type,
      reason,
      message: message.slice(0, MAX_MESSAGE_LENGTH),
      source: host === undefined ? { component } : { component, host },
      firstTimestamp: rfc3339(pending.firstMs),
      lastTimestamp: rfc3339(pending.lastMs),
      count: pending.occurrences,
      reportingComponent: component,
      reportingInstance: host ?? "",
    });
    this.#written.set(key, { namespace, name, count: pending.occurrences });
  }
}

function keyOf({ involved, type, reason, message }: Happening): string {
  const { kind, namespace, name, uid, fieldPath } = involved;
  return JSON.stringify([kind, namespace, name, uid, fieldPath, type, reason, message]);
}
