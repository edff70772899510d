/** All pods of the node: a worker each, and the cleaning up of pods that nobody knows any more. */

import { readdir, rm } from "node:fs/promises";
import { isDeepStrictEqual } from "node:util";
import type { Pod } from "#cluster/api/generated/core-v1.ts";
import type { Change } from "#cluster/client/informer.ts";
import { describeError } from "#cluster/client/log.ts";
import type { PodContext } from "./pod-context.ts";
import { podIdentity } from "./pod-parts.ts";
import { PodWorker } from "./pod-worker.ts";

const ORPHAN_GRACE_MS = 2000;

export class PodWorkers {
  readonly #context: PodContext;
  readonly #workers = new Map<string, PodWorker>();

  constructor(context: PodContext) {
    this.#context = context;
  }

  /** The informer's handler. */
  readonly onChange = (change: Change<Pod>): void => {
    const pod = change.object;
    const { uid } = podIdentity(pod);
    const worker = this.#workers.get(uid);
    const isForeign = this.#context.statuses.observe(pod);
    if (change.kind === "deleted") {
      worker?.gone();
      this.#sweep();
      return;
    }
    if (worker === undefined) {
      const fresh = new PodWorker(this.#context, pod);
      this.#workers.set(uid, fresh);
      fresh.update(pod);
    } else if (change.kind === "updated" && !isForeign && isOwnEcho(change.old, pod)) {
      worker.replace(pod);
    } else {
      worker.update(pod);
    }
  };

  /** A container or probe of the pod has changed. */
  kick(podUid: string): void {
    this.#workers.get(podUid)?.kick();
  }

  /** The newest pod of that name. */
  find(namespace: string, name: string): PodWorker | undefined {
    return [...this.#workers.values()].findLast(({ pod }) => {
      const { metadata } = pod;
      return metadata.namespace === namespace && metadata.name === name;
    });
  }

  all(): PodWorker[] {
    return [...this.#workers.values()];
  }

  stop(): void {
    for (const worker of this.#workers.values()) worker.stop();
  }

  /** Ends what is here of pods that the API server doesn't have; after the first complete list. */
  async removeOrphans(): Promise<void> {
    const { runtime, paths, log } = this.#context;
    const uids = new Set([
      ...runtime.containers.list().map(({ identity }) => identity.podUid),
      ...(await readdir(paths.podsDir).catch(() => [])),
    ]);
    for (const uid of uids) {
      if (this.#workers.has(uid)) continue;
      await this.#removeOrphan(uid).catch((error: unknown) =>
        log(`leftovers of pod ${uid} can't be removed: ${describeError(error)}`),
      );
    }
  }

  async #removeOrphan(uid: string): Promise<void> {
    const { runtime, networks, volumes, paths, log } = this.#context;
    const containers = runtime.containers.ofPod(uid);
    log(`pod ${uid} is gone from the API server: its ${containers.length} containers end`);
    await Promise.all(
      containers.map(({ id }) =>
        runtime.containers.stopContainer(id, { graceMs: ORPHAN_GRACE_MS }),
      ),
    );
    for (const { id } of containers) await runtime.containers.removeContainer(id);
    await networks.release(uid);
    await volumes.remove(uid);
    const [first] = containers;
    if (first === undefined) return;
    const { podNamespace: namespace, podName: name } = first.identity;
    await rm(paths.podLogDir({ namespace, name, uid }), { recursive: true, force: true });
  }

  #sweep(): void {
    for (const [uid, worker] of this.#workers) if (worker.isFinished) this.#workers.delete(uid);
  }
}

/** Whether only the status has changed, as after each of our own patches. */
function isOwnEcho(old: Pod, pod: Pod): boolean {
  const keys = [
    "labels",
    "annotations",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
  ] as const;
  const before = old.status?.conditions?.length;
  return (
    keys.every((key) => isDeepStrictEqual(old.metadata[key], pod.metadata[key])) &&
    old.metadata.generation === pod.metadata.generation &&
    before === pod.status?.conditions?.length &&
    isDeepStrictEqual(foreignConditions(old), foreignConditions(pod))
  );
}

const OWN = new Set(["PodReadyToStartContainers", "Initialized", "ContainersReady", "Ready"]);

function foreignConditions(pod: Pod): unknown {
  return (pod.status?.conditions ?? []).filter(({ type }) => !OWN.has(type));
}
