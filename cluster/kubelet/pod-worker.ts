/** One pod's life on this node: brings it, again and again, to what its object says now. */

import type { Container, Pod, PodStatus } from "#cluster/api/generated/core-v1.ts";
import { PODS } from "#cluster/api/resources.ts";
import { hasReason } from "#cluster/api/status-error.ts";
import { delay, rfc3339 } from "#cluster/client/clock.ts";
import { describeError } from "#cluster/client/log.ts";
import { ContainerHistory } from "./container-history.ts";
import { type PodActions, computePodActions } from "./pod-actions.ts";
import type { PodContext } from "./pod-context.ts";
import { removePodGroup } from "./pod-group.ts";
import type { PodNetwork } from "./pod-networks.ts";
import { allContainers, formatPod, isTerminalPhase, podIdentity } from "./pod-parts.ts";
import { PodStarter } from "./pod-starter.ts";
import { type ContainerFacts, containerId } from "./status/container-status.ts";
import { podStatus } from "./status/pod-status.ts";
import { killContainer, killPod } from "./termination.ts";
import { rm } from "node:fs/promises";
import { referencedNames } from "./references.ts";

const DEFAULT_GRACE_SECONDS = 30;
const OBJECTS_TIMEOUT_MS = 30_000;
const MOUNT_RETRY_MS = 1000;
const MAX_MOUNT_RETRY_MS = 122_000;
const MAX_RETRY_MS = 30_000;
/** Projected tokens and changed objects are looked at this often without an event. */
const REFRESH_MS = 60_000;

export class PodWorker {
  readonly #context: PodContext;
  readonly #history: ContainerHistory;
  readonly #starter: PodStarter;
  readonly #startTime: string;
  readonly #atStart: PodStatus | undefined;
  /** Aborted when the pod is to end: starts in progress give up. */
  readonly #ending = new AbortController();
  /** Aborted when the pod must be gone at once. */
  readonly #hurry = new AbortController();
  #pod: Pod;
  #network: PodNetwork | undefined;
  #failure: { reason: string; message: string } | undefined;
  /** The work is done, well or badly; nothing is started any more. */
  #isDone: boolean;
  /** The object is gone from the API server. */
  #isGone = false;
  /** Nothing of the pod is left to do here. */
  #isFinished = false;
  #isDirty = false;
  #isLooping = false;
  #timer: NodeJS.Timeout | undefined;
  #failures = 0;
  #mountFailures = 0;

  constructor(context: PodContext, pod: Pod) {
    this.#context = context;
    this.#pod = pod;
    this.#atStart = pod.status;
    this.#history = new ContainerHistory(context);
    this.#starter = new PodStarter(context, this.#history);
    this.#startTime = pod.status?.startTime ?? rfc3339(Date.now());
    this.#isDone = isTerminalPhase(pod.status?.phase);
  }

  get pod(): Pod {
    return this.#pod;
  }

  /** The worker can be dropped: the pod's object and all that was here are gone. */
  get isFinished(): boolean {
    return this.#isFinished && this.#isGone;
  }

  /** The pod's address as far as it has one. */
  get podIp(): string | undefined {
    return this.#network?.address;
  }

  /** Takes the newest object. */
  update(pod: Pod): void {
    this.#pod = pod;
    const { deletionTimestamp, deletionGracePeriodSeconds } = pod.metadata;
    if (deletionTimestamp !== undefined) {
      this.#ending.abort();
      if (deletionGracePeriodSeconds === 0) this.#hurry.abort();
    }
    this.kick();
  }

  /** Takes the newest object, which differs in what we have written only. */
  replace(pod: Pod): void {
    this.#pod = pod;
  }

  /** The object has been removed, by us or by force. */
  gone(): void {
    this.#isGone = true;
    this.#ending.abort();
    this.#hurry.abort();
    this.kick();
  }

  /** Something has changed: look again. */
  kick(): void {
    this.#isDirty = true;
    if (this.#isLooping) return;
    this.#isLooping = true;
    void this.#loop();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  async #loop(): Promise<void> {
    while (this.#isDirty) {
      this.#isDirty = false;
      clearTimeout(this.#timer);
      try {
        await this.#sync();
        this.#failures = 0;
      } catch (error) {
        this.#syncFailed(error);
      }
    }
    this.#isLooping = false;
  }

  #syncFailed(error: unknown): void {
    this.#context.log(`pod ${formatPod(this.#pod)}: ${describeError(error)}`);
    if (!this.#isEnding()) {
      this.#context.events.pod(this.#pod, "Warning", "FailedSync", describeError(error));
    }
    this.#failures += 1;
    this.#lookAgainIn(Math.min(500 * 2 ** Math.min(this.#failures, 10), MAX_RETRY_MS));
  }

  #lookAgainIn(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.kick(), Math.max(ms, 0)).unref();
  }

  #isEnding(): boolean {
    return this.#isDone || this.#isGone || this.#pod.metadata.deletionTimestamp !== undefined;
  }

  async #sync(): Promise<void> {
    if (this.#isFinished) return this.#forgetWhenDeleted();
    await this.#history.refresh(this.#pod);
    this.#network ??= await this.#context.networks.find(this.#pod);
    this.#watchProbes();
    if (this.#isEnding()) return this.#end();
    this.#checkDeadline();
    const actions = this.#actions();
    if (actions.finished || this.#failure !== undefined) {
      this.#isDone = true;
      return this.#end();
    }
    await this.#bringUp(actions);
  }

  #actions(): PodActions {
    const { probes } = this.#context;
    return computePodActions(this.#pod, ({ name }) => {
      const latest = this.#history.latest(name);
      const isRunning = latest?.state === "running";
      return {
        latest,
        started: isRunning && probes.isStarted(latest.id),
        failedProbe: isRunning ? probes.failedProbe(latest.id) : undefined,
      };
    });
  }

  async #bringUp(actions: PodActions): Promise<void> {
    const needsWork = actions.start.length > 0 || actions.kill.length > 0;
    this.#starter.keepWaiting(actions.start.map(({ name }) => name));
    if (needsWork) this.#report();
    const network = await this.#ensureNetwork();
    const volumes = await this.#ensureVolumes(network, actions.start.length > 0);
    if (volumes === undefined) return this.#report();
    for (const { container, status, why } of actions.kill) {
      const graceMs = this.#graceMs(container);
      await killContainer(this.#context, {
        pod: this.#pod,
        container,
        status,
        message: why,
        podIp: network.address,
        deadlineMs: Date.now() + graceMs,
        hurry: this.#ending.signal,
      });
    }
    let retryMs = REFRESH_MS;
    for (const container of actions.start) {
      if (this.#isEnding()) break;
      const outcome = await this.#starter.start({
        pod: this.#pod,
        container,
        network,
        volumes,
        reported: this.#reported(container.name),
        signal: this.#ending.signal,
      });
      // What comes next may depend on this container being there.
      if (outcome.kind === "started") this.#isDirty = true;
      else retryMs = Math.min(retryMs, outcome.retryMs);
      await this.#history.refresh(this.#pod);
      this.#watchProbes();
      this.#report();
    }
    this.#report();
    this.#lookAgainIn(Math.min(retryMs, this.#deadlineLeftMs()));
  }

  async #ensureNetwork(): Promise<PodNetwork> {
    const hadNetwork = this.#network !== undefined;
    try {
      this.#network = await this.#context.networks.ensure(this.#pod, this.#ending.signal);
    } catch (error) {
      const message = `Failed to create pod sandbox: ${describeError(error)}`;
      this.#context.events.pod(this.#pod, "Warning", "FailedCreatePodSandBox", message);
      throw error;
    }
    if (!hadNetwork) this.#report();
    return this.#network;
  }

  /** Undefined when something is missing that a container to be started needs. */
  async #ensureVolumes(
    network: PodNetwork,
    isNeeded: boolean,
  ): Promise<ReadonlyMap<string, string> | undefined> {
    const { objects, volumes, events } = this.#context;
    const { uid, namespace } = podIdentity(this.#pod);
    const use = objects.use(uid, namespace, referencedNames(this.#pod)).then(() => true);
    const timeout = delay(OBJECTS_TIMEOUT_MS, this.#ending.signal).then(() => false);
    const known = await Promise.race([use, timeout]);
    if (!known) throw new Error("ConfigMaps and Secrets of the pod can't be read");
    const made = await volumes.ensure(this.#pod, network.address);
    if (made.ok) {
      this.#mountFailures = 0;
      return made.paths;
    }
    for (const { volume, message } of made.problems) {
      const text = `MountVolume.SetUp failed for volume "${volume}" : ${message}`;
      events.pod(this.#pod, "Warning", "FailedMount", text);
    }
    // What is missing is watched and mounted when it comes; this is for everything else.
    this.#lookAgainIn(
      Math.min(MOUNT_RETRY_MS * 2 ** Math.min(this.#mountFailures, 10), MAX_MOUNT_RETRY_MS),
    );
    this.#mountFailures += 1;
    return isNeeded ? undefined : new Map();
  }

  #checkDeadline(): void {
    if (this.#deadlineLeftMs() > 0) return;
    const message = "Pod was active on the node longer than the specified deadline";
    this.#context.events.pod(this.#pod, "Normal", "DeadlineExceeded", message);
    this.#failure = { reason: "DeadlineExceeded", message };
  }

  #deadlineLeftMs(): number {
    const seconds = this.#pod.spec?.activeDeadlineSeconds;
    if (seconds === undefined) return Number.POSITIVE_INFINITY;
    return Date.parse(this.#startTime) + seconds * 1000 - Date.now();
  }

  #watchProbes(): void {
    const { probes } = this.#context;
    for (const container of allContainers(this.#pod)) {
      const latest = this.#history.latest(container.name);
      const previous = this.#history.previous(container.name);
      if (previous !== undefined) probes.forget(previous.id);
      if (latest === undefined) continue;
      if (latest.state === "exited") probes.forget(latest.id);
      if (latest.state !== "running" || this.#network === undefined) continue;
      const reported = this.#reported(container.name);
      const isSame = reported?.containerID === containerId(latest);
      probes.watch({
        pod: this.#pod,
        container,
        status: latest,
        podIp: this.#network.address,
        known: isSame
          ? {
              ready: reported.ready,
              started: reported.started === true,
            }
          : undefined,
      });
    }
  }

  /** What an earlier agent told of a container; it holds as long as this one knows no better. */
  #reported(name: string): ContainerFacts["reported"] {
    const { initContainerStatuses = [], containerStatuses = [] } = this.#atStart ?? {};
    return [...initContainerStatuses, ...containerStatuses].find((status) => status.name === name);
  }

  #report(): void {
    const status = podStatus(this.#pod, {
      facts: (container) => this.#factsOf(container),
      hasSandbox: this.#network !== undefined && !this.#isFinished,
      podIp: this.#network?.address ?? this.#pod.status?.podIP,
      hostIp: this.#context.config.nodeAddress,
      startTime: this.#startTime,
      isEnding: this.#isEnding(),
      now: rfc3339(Date.now()),
      failure: this.#failure,
    });
    this.#context.statuses.set(this.#pod, status);
  }

  #factsOf(container: Container): ContainerFacts {
    const { name } = container;
    const latest = this.#history.latest(name);
    const { probes } = this.#context;
    return {
      latest,
      previous: this.#history.previous(name),
      waiting: this.#isEnding() ? undefined : this.#starter.waiting(name),
      terminationMessage: (attempt) => this.#history.message(name, attempt),
      started: latest !== undefined && probes.isStarted(latest.id),
      ready: latest !== undefined && probes.isReady(latest.id),
      reported: this.#reported(name),
    };
  }

  #graceMs(container?: Container): number {
    const { metadata, spec } = this.#pod;
    const probe = container?.livenessProbe?.terminationGracePeriodSeconds;
    const seconds =
      metadata.deletionGracePeriodSeconds ??
      probe ??
      spec?.terminationGracePeriodSeconds ??
      DEFAULT_GRACE_SECONDS;
    return Math.max(seconds, 1) * 1000;
  }

  /** Stops everything, tells the last status, frees what the pod had, and deletes the object. */
  async #end(): Promise<void> {
    const { probes, statuses, networks, volumes } = this.#context;
    const { uid } = podIdentity(this.#pod);
    probes.stopRestarts(uid);
    const running = this.#history.all().filter(({ state }) => state === "running");
    if (!this.#isGone && !this.#wasTerminal()) this.#report();
    await killPod(this.#context, {
      pod: this.#pod,
      running,
      graceMs: this.#graceMs(),
      hurry: this.#hurry.signal,
      podIp: this.#network?.address ?? "",
    });
    await this.#history.refresh(this.#pod);
    this.#watchProbes();
    if (!this.#isGone && !this.#wasTerminal()) this.#report();
    await networks.release(uid);
    this.#network = undefined;
    await volumes.remove(uid);
    await removePodGroup(this.#context, this.#pod);
    await this.#context.objects.use(uid, podIdentity(this.#pod).namespace, {
      configMaps: new Set(),
      secrets: new Set(),
    });
    this.#isFinished = true;
    if (!this.#isGone && !this.#wasTerminal()) {
      this.#report();
      await statuses.flush(uid);
    }
    await this.#forgetWhenDeleted();
  }

  /** What an earlier agent has told of a pod that was done before stays as it is. */
  #wasTerminal(): boolean {
    return isTerminalPhase(this.#pod.status?.phase) && this.#history.all().length === 0;
  }

  async #forgetWhenDeleted(): Promise<void> {
    const { deletionTimestamp } = this.#pod.metadata;
    if (deletionTimestamp === undefined && !this.#isGone) return;
    const { uid, namespace, name } = podIdentity(this.#pod);
    const { runtime, client, paths, restarts, pulls, statuses } = this.#context;
    for (const status of this.#history.all()) {
      this.#context.probes.forget(status.id);
      await runtime.containers.removeContainer(status.id);
    }
    await rm(paths.podLogDir(podIdentity(this.#pod)), { recursive: true, force: true });
    restarts.forget(`${uid}/`);
    pulls.forget(`${uid}/`);
    statuses.forget(uid);
    if (this.#isGone) return;
    try {
      const options = { gracePeriodSeconds: 0, preconditions: { uid } };
      await client.delete(PODS, { namespace, name }, options);
    } catch (error) {
      if (!hasReason(error, "NotFound") && !hasReason(error, "Conflict")) throw error;
    }
  }
}
