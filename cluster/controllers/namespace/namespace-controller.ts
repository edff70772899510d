/** Empties namespaces that are being deleted, then lets them go. */

import { isDeepStrictEqual } from "node:util";
import type { Namespace } from "#cluster/api/generated/core-v1.ts";
import { NAMESPACES } from "#cluster/api/resources.ts";
import { hasReason } from "#cluster/api/status-error.ts";
import { Backoff } from "#cluster/client/backoff.ts";
import { rfc3339 } from "#cluster/client/clock.ts";
import type { ControllerContext } from "#cluster/client/controller-context.ts";
import { discoverResources } from "#cluster/client/discovery.ts";
import { runReconciler } from "#cluster/client/reconciler.ts";
import { WorkQueue } from "#cluster/client/work-queue.ts";
import { buildConditions } from "./namespace-conditions.ts";
import { deleteContent } from "./namespace-content.ts";
import type { Remains } from "./namespace-content.ts";

const CONCURRENCY = 4;
const FINALIZER = "kubernetes";

/** Runs until the context's signal aborts. */
export async function runNamespaceController(context: ControllerContext): Promise<void> {
  const { client, informers, clock, signal } = context;
  const queue = new WorkQueue(clock);
  const namespaces = informers.get(NAMESPACES);
  const pauses = new Map<string, Backoff>();
  namespaces.onChange(({ kind, object }) => {
    if (kind === "deleted") pauses.delete(object.metadata.name);
    else if (isDue(object)) queue.add(object.metadata.name);
  });

  await namespaces.synced;
  await runReconciler({
    name: "namespace-controller",
    queue,
    concurrency: CONCURRENCY,
    signal,
    async reconcile(name) {
      const namespace = namespaces.lister.get(undefined, name);
      if (namespace === undefined || !isDue(namespace)) return;
      const remains = await deleteContent(client, name, await discoverResources(client, signal));
      const current = await report(context, namespace, remains);
      if (current === undefined) return;
      const isEmpty =
        remains.counts.size === 0 &&
        remains.deletionProblems.length + remains.discoveryProblems.length === 0;
      if (isEmpty) {
        await finalize(context, current);
        return;
      }
      // Nothing tells when the last object is gone: look again, soon at first.
      const pause = pauses.get(name) ?? new Backoff({ baseMs: 50, maxMs: 2_000 });
      pauses.set(name, pause);
      queue.addAfter(name, pause.nextMs());
    },
  });
}

function isDue({ metadata, spec }: Namespace): boolean {
  return metadata.deletionTimestamp !== undefined && spec?.finalizers?.includes(FINALIZER) === true;
}

/** Undefined when the namespace is gone: the watch is about to say so. */
async function report(
  { client, clock, signal }: ControllerContext,
  namespace: Namespace,
  remains: Remains,
): Promise<Namespace | undefined> {
  const old = namespace.status?.conditions ?? [];
  const conditions = buildConditions(remains, old, rfc3339(clock.nowMs()));
  const status = { ...namespace.status, phase: "Terminating", conditions };
  const isSame = namespace.status?.phase === "Terminating" && isDeepStrictEqual(old, conditions);
  if (isSame) return namespace;
  try {
    return await client.updateStatus(NAMESPACES, { ...namespace, status }, { signal });
  } catch (error) {
    if (hasReason(error, "NotFound")) return undefined;
    throw error;
  }
}

async function finalize(
  { client, signal }: ControllerContext,
  namespace: Namespace,
): Promise<void> {
  const finalizers = namespace.spec?.finalizers?.filter((name) => name !== FINALIZER) ?? [];
  const finalized = { ...namespace, spec: { ...namespace.spec, finalizers } };
  try {
    await client.update(NAMESPACES, finalized, { subresource: "finalize", signal });
  } catch (error) {
    if (!hasReason(error, "NotFound")) throw error;
  }
}
