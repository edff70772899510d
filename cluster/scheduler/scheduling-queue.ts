/** Pods that wait for a node: to be tried now, after a pause, or when the cluster changes. */

import type { Pod } from "#cluster/api/generated/core-v1.ts";
import type { Clock } from "#cluster/client/clock.ts";
import { objectKey } from "#cluster/client/object-store.ts";

/** Kubernetes begins with 1 s; here a node that becomes ready is to be used at once. */
const FIRST_PAUSE_MS = 50;
const MAX_PAUSE_MS = 10_000;
/** Without any change of the cluster, an unschedulable pod is tried again after this. */
const UNSCHEDULABLE_MS = 60_000;

interface Waiting {
  pod: Pod;
  attempts: number;
  /** A pod that failed is not tried before this. */
  notBeforeMs: number;
  cancel?: () => void;
}

/** Active pods come out by priority, then in the order in which they came. */
export class SchedulingQueue {
  readonly #clock: Clock;
  readonly #onActive: () => void;
  readonly #active = new Map<string, Waiting>();
  readonly #backoff = new Map<string, Waiting>();
  readonly #unschedulable = new Map<string, Waiting>();
  /** Attempts of pods that are being tried right now. */
  readonly #attempts = new Map<string, number>();

  /** `onActive` is called when a pod becomes active. */
  constructor(clock: Clock, onActive: () => void) {
    this.#clock = clock;
    this.#onActive = onActive;
  }

  get size(): { active: number; backoff: number; unschedulable: number } {
    return {
      active: this.#active.size,
      backoff: this.#backoff.size,
      unschedulable: this.#unschedulable.size,
    };
  }

  /** A new or changed pod; a change makes a failed pod active again, after its pause. */
  add(pod: Pod): void {
    const key = objectKey(pod.metadata);
    const known = this.#active.get(key) ?? this.#backoff.get(key);
    if (known !== undefined) {
      known.pod = pod;
      return;
    }
    const failed = this.#unschedulable.get(key);
    if (failed === undefined) {
      this.#activate(key, { pod, attempts: 0, notBeforeMs: 0 });
      return;
    }
    this.#take(this.#unschedulable, key);
    this.#wait(key, { ...failed, pod });
  }

  /** Keeps the newest state of a waiting pod, without another try. */
  refresh(pod: Pod): void {
    const key = objectKey(pod.metadata);
    for (const queue of [this.#active, this.#backoff, this.#unschedulable]) {
      const waiting = queue.get(key);
      if (waiting !== undefined) waiting.pod = pod;
    }
  }

  /** The pod is bound or gone. */
  remove(pod: Pod): void {
    const key = objectKey(pod.metadata);
    this.#attempts.delete(key);
    for (const queue of [this.#active, this.#backoff, this.#unschedulable]) this.#take(queue, key);
  }

  /** The next pod to try; tell how it ended by `fail` or `remove`. */
  take(): Pod | undefined {
    let best: [string, Waiting] | undefined;
    for (const entry of this.#active) {
      if (best === undefined || priorityOf(entry[1].pod) > priorityOf(best[1].pod)) best = entry;
    }
    if (best === undefined) return undefined;
    const [key, { pod, attempts }] = best;
    this.#active.delete(key);
    this.#attempts.set(key, attempts + 1);
    return pod;
  }

  /**
   * No node fits, or binding failed. `isUnschedulable` pods wait for a change of the cluster, the
   * others only for their pause.
   */
  fail(pod: Pod, isUnschedulable: boolean): void {
    const key = objectKey(pod.metadata);
    const attempts = this.#attempts.get(key);
    if (attempts === undefined) return;
    this.#attempts.delete(key);
    const pauseMs = Math.min(FIRST_PAUSE_MS * 2 ** Math.min(attempts - 1, 10), MAX_PAUSE_MS);
    const waiting: Waiting = { pod, attempts, notBeforeMs: this.#clock.nowMs() + pauseMs };
    if (!isUnschedulable) {
      this.#wait(key, waiting);
      return;
    }
    waiting.cancel = this.#clock.setTimer(UNSCHEDULABLE_MS, () => {
      this.#take(this.#unschedulable, key);
      this.#activate(key, waiting);
    });
    this.#unschedulable.set(key, waiting);
  }

  /** The cluster changed in favour of pods: all unschedulable ones are worth another try. */
  retryAll(): void {
    for (const [key, waiting] of this.#unschedulable) {
      this.#take(this.#unschedulable, key);
      this.#wait(key, waiting);
    }
  }

  /** Cancels all timers. */
  close(): void {
    for (const queue of [this.#backoff, this.#unschedulable]) {
      for (const key of queue.keys()) this.#take(queue, key);
    }
    this.#active.clear();
  }

  #wait(key: string, waiting: Waiting): void {
    const delayMs = waiting.notBeforeMs - this.#clock.nowMs();
    if (delayMs <= 0) {
      this.#activate(key, waiting);
      return;
    }
    const entry: Waiting = { ...waiting };
    entry.cancel = this.#clock.setTimer(delayMs, () => {
      this.#activate(key, entry);
    });
    this.#backoff.set(key, entry);
  }

  #activate(key: string, { pod, attempts }: Waiting): void {
    this.#backoff.delete(key);
    this.#active.set(key, { pod, attempts, notBeforeMs: 0 });
    this.#onActive();
  }

  #take(queue: Map<string, Waiting>, key: string): void {
    queue.get(key)?.cancel?.();
    queue.delete(key);
  }
}

function priorityOf(pod: Pod): number {
  return pod.spec?.priority ?? 0;
}
