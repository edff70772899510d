/** Brings statuses to the API server: the newest of each pod, one patch at a time, soon. */

import { isDeepStrictEqual } from "node:util";
import type { Pod, PodStatus } from "#cluster/api/generated/core-v1.ts";
import { PODS } from "#cluster/api/resources.ts";
import { hasReason } from "#cluster/api/status-error.ts";
import type { KubeClient } from "#cluster/client/client.ts";
import { type Log, describeError } from "#cluster/client/log.ts";
import { podIdentity } from "#cluster/kubelet/pod-parts.ts";

/** How long a change that nobody waits for may gather others. */
const GATHER_MS = 60;
const RETRY_MS = 1000;
const MAX_RETRY_MS = 10_000;

interface Entry {
  pod: Pod;
  wanted: PodStatus;
  /** What the server has, as far as we know, and of which revision that is. */
  sent: PodStatus | undefined;
  revision: number;
  timer: NodeJS.Timeout | undefined;
  sending: Promise<void> | undefined;
  failures: number;
  waiters: (() => void)[];
}

export class StatusWriter {
  readonly #client: KubeClient;
  readonly #log: Log;
  readonly #entries = new Map<string, Entry>();
  #stopped = false;

  constructor(client: KubeClient, log: Log) {
    this.#client = client;
    this.#log = log;
  }

  /** Replaces the pod's wanted status; changes of readiness and phase are sent at once. */
  set(pod: Pod, status: PodStatus): void {
    const { uid } = podIdentity(pod);
    const wanted = plain(status);
    const entry = this.#entries.get(uid) ?? this.#newEntry(pod, wanted);
    this.#entries.set(uid, entry);
    const urgent = signature(entry.wanted) !== signature(wanted);
    entry.pod = pod;
    entry.wanted = wanted;
    if (!this.#isDue(entry)) return;
    if (entry.sending === undefined) this.#schedule(entry, urgent ? 0 : GATHER_MS, urgent);
  }

  /**
   * Takes what the server has. Answers whether it isn't what is wanted though nothing is on its way:
   * somebody else has written the kubelet's part, as the node controller does while an agent is silent.
   */
  observe(pod: Pod): boolean {
    const entry = this.#entries.get(podIdentity(pod).uid);
    if (entry === undefined || revisionOf(pod) <= entry.revision) return false;
    entry.revision = revisionOf(pod);
    entry.sent = pod.status === undefined ? undefined : plain(pod.status);
    return this.#isDue(entry) && entry.sending === undefined && entry.timer === undefined;
  }

  /** Resolves when the server has the pod's wanted status, or the pod is gone there. */
  async flush(podUid: string): Promise<void> {
    const entry = this.#entries.get(podUid);
    if (entry === undefined || (!this.#isDue(entry) && entry.sending === undefined)) return;
    const done = new Promise<void>((resolve) => entry.waiters.push(resolve));
    this.#schedule(entry, 0, true);
    await done;
  }

  forget(podUid: string): void {
    const entry = this.#entries.get(podUid);
    clearTimeout(entry?.timer);
    this.#entries.delete(podUid);
    for (const wake of entry?.waiters ?? []) wake();
  }

  stop(): void {
    this.#stopped = true;
    for (const uid of this.#entries.keys()) this.forget(uid);
  }

  #newEntry(pod: Pod, wanted: PodStatus): Entry {
    const sent = pod.status === undefined ? undefined : plain(pod.status);
    return {
      pod,
      wanted,
      sent,
      revision: revisionOf(pod),
      timer: undefined,
      sending: undefined,
      failures: 0,
      waiters: [],
    };
  }

  #isDue(entry: Entry): boolean {
    return !isDeepStrictEqual(entry.wanted, ownPart(entry.sent, entry.wanted));
  }

  #schedule(entry: Entry, delayMs: number, replace: boolean): void {
    if (this.#stopped || (entry.timer !== undefined && !replace)) return;
    clearTimeout(entry.timer);
    entry.timer = setTimeout(() => {
      entry.timer = undefined;
      entry.sending ??= this.#send(entry).finally(() => {
        entry.sending = undefined;
        this.#afterSend(entry);
      });
    }, delayMs);
  }

  async #send(entry: Entry): Promise<void> {
    const { namespace, name, uid } = podIdentity(entry.pod);
    const wanted = entry.wanted;
    try {
      const written = await this.#client.patch(
        PODS,
        { namespace, name },
        { type: "merge", subresource: "status", body: patchBody(uid, wanted) },
      );
      entry.failures = 0;
      // A later change has been observed already: it counts, not ours.
      if (revisionOf(written) < entry.revision) return;
      entry.revision = revisionOf(written);
      entry.sent = wanted;
    } catch (error) {
      if (hasReason(error, "NotFound") || hasReason(error, "Conflict")) {
        // The pod is gone, or another one has its name.
        this.forget(uid);
        return;
      }
      entry.failures += 1;
      this.#log(`status of pod ${namespace}/${name}: ${describeError(error)}`);
    }
  }

  #afterSend(entry: Entry): void {
    if (this.#entries.get(podIdentity(entry.pod).uid) !== entry) return;
    if (this.#isDue(entry)) {
      const pause = Math.min(RETRY_MS * 2 ** (entry.failures - 1), MAX_RETRY_MS);
      this.#schedule(entry, entry.failures === 0 ? 0 : pause, false);
      return;
    }
    for (const wake of entry.waiters.splice(0)) wake();
  }
}

/** Revisions only grow; one that isn't known comes before all others. */
function revisionOf({ metadata }: Pod): number {
  return Number(metadata.resourceVersion ?? 0);
}

/** What others wait for: phase, readiness, and the pod's address. */
function signature(status: PodStatus): string {
  const ready = (status.conditions ?? []).map(({ type, status: value }) => [type, value]);
  return JSON.stringify([status.phase, status.podIP, ready]);
}

/** A merge patch that also takes away what the status no longer has. */
function patchBody(uid: string, status: PodStatus): unknown {
  const cleared = { reason: null, message: null };
  return { metadata: { uid }, status: { ...cleared, ...status } };
}

/** Those fields of a status that the kubelet writes. */
function ownPart(status: PodStatus | undefined, wanted: PodStatus): Partial<PodStatus> {
  if (status === undefined) return {};
  const keys = new Set<string>([...Object.keys(wanted), "reason", "message"]);
  return Object.fromEntries(Object.entries(status).filter(([key]) => keys.has(key)));
}

function plain(status: PodStatus): PodStatus {
  return JSON.parse(JSON.stringify(status)) as PodStatus;
}
