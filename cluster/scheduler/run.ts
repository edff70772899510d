/** The scheduler: gives each pod without a node the one that fits best. */

import type { Node, Pod } from "#cluster/api/generated/core-v1.ts";
import { isPodTerminal, podCondition } from "#cluster/api/pod.ts";
import { NODES, PODS, SERVICES } from "#cluster/api/resources.ts";
import { hasReason } from "#cluster/api/status-error.ts";
import type { KubeClient } from "#cluster/client/client.ts";
import { rfc3339, systemClock } from "#cluster/client/clock.ts";
import type { Clock } from "#cluster/client/clock.ts";
import { createInformer } from "#cluster/client/create-informer.ts";
import { EventRecorder, referenceTo } from "#cluster/client/events.ts";
import type { Change, Informer } from "#cluster/client/informer.ts";
import { describeError, stderrLog } from "#cluster/client/log.ts";
import { decide } from "./decide.ts";
import { SchedulingQueue } from "./scheduling-queue.ts";
import { SnapshotCache } from "./snapshot.ts";
import type { Snapshot } from "./snapshot.ts";

const SCHEDULER_NAME = "default-scheduler";
/** Bindings under way at a time; decisions don't wait for them. */
const MAX_BINDINGS = 32;

export interface SchedulerOptions {
  client: KubeClient;
  signal: AbortSignal;
  clock?: Clock;
}

/** Runs until the signal aborts. */
export async function runScheduler(options: SchedulerOptions): Promise<void> {
  const { client, signal } = options;
  const informers = {
    pods: createInformer(client, PODS),
    nodes: createInformer(client, NODES),
    services: createInformer(client, SERVICES),
  };
  const scheduler = new Scheduler(options, informers.services);
  informers.pods.onChange((change) => scheduler.onPod(change));
  informers.nodes.onChange((change) => scheduler.onNode(change));
  const running = Object.values(informers).map((informer) => informer.run(signal));
  const synced = Object.values(informers).map((informer) => informer.synced);
  await Promise.race([Promise.all(synced), Promise.all(running)]);
  scheduler.start();
  await Promise.all(running);
  await scheduler.stop();
}

class Scheduler {
  readonly #client: KubeClient;
  readonly #clock: Clock;
  readonly #events: EventRecorder;
  readonly #services: Informer<NonNullable<(typeof SERVICES)["type"]>>;
  readonly #cache = new SnapshotCache();
  readonly #queue: SchedulingQueue;
  readonly #bindings = new Set<Promise<void>>();
  #isStarted = false;
  #isScheduled = false;

  constructor(
    { client, signal, clock = systemClock }: SchedulerOptions,
    services: Informer<NonNullable<(typeof SERVICES)["type"]>>,
  ) {
    this.#client = client;
    this.#clock = clock;
    this.#services = services;
    this.#events = new EventRecorder({ client, component: SCHEDULER_NAME, clock, signal });
    this.#queue = new SchedulingQueue(clock, () => this.#wake());
  }

  /** Before this everything is only noted: nodes must be known before pods are refused. */
  start(): void {
    this.#isStarted = true;
    this.#wake();
  }

  async stop(): Promise<void> {
    this.#isStarted = false;
    this.#queue.close();
    await Promise.all(this.#bindings);
  }

  onPod(change: Change<Pod>): void {
    const pod = change.object;
    if (change.kind === "deleted" || isPodTerminal(pod)) {
      this.#queue.remove(pod);
      this.#cache.removePod(pod);
      if (pod.spec?.nodeName !== undefined) this.#queue.retryAll();
      return;
    }
    this.#cache.setPod(pod);
    if (!isOurs(pod)) {
      this.#queue.remove(pod);
      // Pods near which others want to be are news too.
      if (change.kind !== "updated" || change.old.spec?.nodeName !== pod.spec?.nodeName) {
        this.#queue.retryAll();
      }
      return;
    }
    const isNews = change.kind === "added" || isSchedulingChange(change, pod);
    if (this.#cache.has(pod)) return;
    if (isNews) this.#queue.add(pod);
    else this.#queue.refresh(pod);
  }

  onNode(change: Change<Node>): void {
    if (change.kind === "deleted") {
      this.#cache.removeNode(change.object.metadata.name);
      return;
    }
    this.#cache.setNode(change.object);
    if (change.kind === "added" || isRoomChange(change.old, change.object)) this.#queue.retryAll();
  }

  /** Pods that come in one go are decided in one go, after the turn that brought them. */
  #wake(): void {
    if (!this.#isStarted || this.#isScheduled) return;
    this.#isScheduled = true;
    queueMicrotask(() => {
      this.#isScheduled = false;
      this.#schedule();
    });
  }

  #schedule(): void {
    const snapshot: Snapshot = {
      nodes: this.#cache.nodes,
      servicesOf: (namespace) => this.#services.lister.list(namespace),
    };
    while (this.#isStarted && this.#bindings.size < MAX_BINDINGS) {
      const pod = this.#queue.take();
      if (pod === undefined) return;
      const decision = decide(pod, snapshot);
      const work =
        decision.kind === "node"
          ? this.#bind(pod, decision.name)
          : this.#refuse(pod, decision.message);
      this.#bindings.add(work);
      void work.finally(() => {
        this.#bindings.delete(work);
        this.#wake();
      });
    }
  }

  async #bind(pod: Pod, node: string): Promise<void> {
    this.#cache.assume(pod, node);
    const { namespace, name, uid } = pod.metadata;
    const body = {
      apiVersion: "v1",
      kind: "Binding",
      metadata: { namespace, name, uid },
      target: { apiVersion: "v1", kind: "Node", name: node },
    };
    try {
      const at = { ref: { namespace, name }, subresource: "binding" };
      await this.#client.createSubresource(PODS, at, body);
      this.#queue.remove(pod);
      this.#events.record({
        involved: referenceTo(PODS, pod),
        type: "Normal",
        reason: "Scheduled",
        message: `Successfully assigned ${namespace}/${name} to ${node}`,
      });
    } catch (error) {
      this.#cache.unassume(pod);
      // Gone, or bound by somebody else: the watch will say.
      if (hasReason(error, "NotFound")) {
        this.#queue.remove(pod);
        return;
      }
      stderrLog(`scheduler: binding ${namespace}/${name} to ${node}: ${describeError(error)}`);
      this.#queue.fail(pod, false);
    }
  }

  async #refuse(pod: Pod, message: string): Promise<void> {
    this.#queue.fail(pod, true);
    this.#events.record({
      involved: referenceTo(PODS, pod),
      type: "Warning",
      reason: "FailedScheduling",
      message,
    });
    const old = podCondition(pod, "PodScheduled");
    if (old?.status === "False" && old.reason === "Unschedulable" && old.message === message) {
      return;
    }
    const now = rfc3339(this.#clock.nowMs());
    const condition = {
      type: "PodScheduled",
      status: "False",
      reason: "Unschedulable",
      message,
      lastTransitionTime: old?.status === "False" ? (old.lastTransitionTime ?? now) : now,
    };
    const others = (pod.status?.conditions ?? []).filter(({ type }) => type !== "PodScheduled");
    const status = { ...pod.status, conditions: [...others, condition] };
    try {
      await this.#client.updateStatus(PODS, { ...pod, status });
    } catch (error) {
      const isStale = hasReason(error, "NotFound") || hasReason(error, "Conflict");
      const { namespace, name } = pod.metadata;
      if (!isStale) stderrLog(`scheduler: ${namespace}/${name}: ${describeError(error)}`);
    }
  }
}

/** Waits for us to give it a node. */
function isOurs({ spec, metadata }: Pod): boolean {
  return (
    (spec?.nodeName ?? "") === "" &&
    (spec?.schedulerName ?? SCHEDULER_NAME) === SCHEDULER_NAME &&
    (spec?.schedulingGates ?? []).length === 0 &&
    metadata.deletionTimestamp === undefined
  );
}

/** Whether a pod itself changed; its conditions are our own writes. */
function isSchedulingChange(change: Change<Pod>, pod: Pod): boolean {
  if (change.kind !== "updated") return true;
  const key = ({ metadata, spec }: Pod): string => JSON.stringify([metadata.labels, spec]);
  return key(change.old) !== key(pod);
}

/** Whether a node may now take pods that it refused before; heartbeats don't count. */
function isRoomChange(old: Node, now: Node): boolean {
  const key = ({ metadata, spec, status }: Node): string =>
    JSON.stringify([
      metadata.labels,
      spec?.taints,
      spec?.unschedulable,
      status?.allocatable,
      status?.conditions?.map(({ type, status: state }) => [type, state]),
    ]);
  return key(old) !== key(now);
}
