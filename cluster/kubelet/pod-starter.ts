/** Starts a pod's containers when their pauses are over, and knows what the others wait for. */

import type { Container, ContainerStatus, Pod } from "#cluster/api/generated/core-v1.ts";
import { goDuration } from "./backoff.ts";
import { specHash } from "./container-config.ts";
import type { ContainerHistory } from "./container-history.ts";
import { startContainer } from "./container-start.ts";
import type { PodContext } from "./pod-context.ts";
import type { PodNetwork } from "./pod-networks.ts";
import { formatPod, podIdentity } from "./pod-parts.ts";

export type StartOutcome = { kind: "started" } | { kind: "waiting"; retryMs: number };

export class PodStarter {
  readonly #context: PodContext;
  readonly #history: ContainerHistory;
  readonly #waiting = new Map<string, { reason: string; message: string }>();

  constructor(context: PodContext, history: ContainerHistory) {
    this.#context = context;
    this.#history = history;
  }

  /** Why a container isn't running although it should. */
  waiting(name: string): { reason: string; message: string } | undefined {
    return this.#waiting.get(name);
  }

  /** Only these containers are to be started; the others wait for nothing. */
  keepWaiting(names: readonly string[]): void {
    for (const name of this.#waiting.keys()) {
      if (!names.includes(name)) this.#waiting.delete(name);
    }
  }

  /** Starts the container, unless it or its start has failed too recently. */
  async start(request: {
    pod: Pod;
    container: Container;
    network: PodNetwork;
    volumes: ReadonlyMap<string, string>;
    /** What an earlier agent told of the container. */
    reported: ContainerStatus | undefined;
    signal: AbortSignal;
  }): Promise<StartOutcome> {
    const { pod, container } = request;
    const pause = this.#crashPause(pod, container) ?? this.#startPause(pod, container);
    if (pause !== undefined) return { kind: "waiting", retryMs: pause };
    const result = await startContainer(this.#context, {
      ...request,
      attempt: this.#nextAttempt(container.name, request.reported),
    });
    if (result.ok) {
      this.#waiting.delete(container.name);
      return { kind: "started" };
    }
    const { reason, message, retryMs } = result.waiting;
    this.#waiting.set(container.name, { reason, message });
    return { kind: "waiting", retryMs };
  }

  /** CrashLoopBackOff: the pause counts from when the container ended; the first costs nothing. */
  #crashPause(pod: Pod, container: Container): number | undefined {
    const latest = this.#history.latest(container.name);
    if (latest?.state !== "exited") return undefined;
    const { restarts, events } = this.#context;
    const key = `${podIdentity(pod).uid}/${container.name}/${specHash(container)}`;
    const endedMs = Date.parse(latest.finishedAt ?? latest.createdAt);
    const now = Date.now();
    const left = restarts.remainingMs(key, now, endedMs);
    if (left <= 0) {
      restarts.lengthen(key, now);
      return undefined;
    }
    const pause = goDuration(restarts.delayMs(key));
    const message = `back-off ${pause} restarting failed container=${container.name} pod=${formatPod(pod)}`;
    this.#waiting.set(container.name, { reason: "CrashLoopBackOff", message });
    const event = `Back-off restarting failed container ${container.name} in pod ${formatPod(pod)}`;
    events.container({ pod, name: container.name }, "Warning", "BackOff", event);
    return left;
  }

  /** A container that could not be created or started waits, with the reason it has. */
  #startPause(pod: Pod, container: Container): number | undefined {
    const key = `${podIdentity(pod).uid}/${container.name}/start`;
    const left = this.#context.restarts.remainingMs(key, Date.now());
    return left > 0 ? left : undefined;
  }

  #nextAttempt(name: string, reported: ContainerStatus | undefined): number {
    const latest = this.#history.latest(name);
    if (latest !== undefined) return latest.identity.attempt + 1;
    // It has run on this node, but its files are gone.
    return reported?.containerID === undefined ? 0 : reported.restartCount + 1;
  }
}
