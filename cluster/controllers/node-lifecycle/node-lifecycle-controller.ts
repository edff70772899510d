/** Notices silent nodes, marks them, and moves their pods away. */

import { isDeepStrictEqual } from "node:util";
import type { Lease } from "#cluster/api/generated/coordination-v1.ts";
import type { Node, Pod } from "#cluster/api/generated/core-v1.ts";
import { isPodReady } from "#cluster/api/pod.ts";
import { LEASES, NODES, PODS } from "#cluster/api/resources.ts";
import { hasReason } from "#cluster/api/status-error.ts";
import { rfc3339 } from "#cluster/client/clock.ts";
import type { ControllerContext } from "#cluster/client/controller-context.ts";
import { EventRecorder, referenceTo } from "#cluster/client/events.ts";
import { runReconciler } from "#cluster/client/reconciler.ts";
import { WorkQueue } from "#cluster/client/work-queue.ts";
import { evictionOf } from "./eviction.ts";
import { GRACE_MS, isNodeReady, silentConditions, wantedTaints } from "./node-health.ts";

const CONCURRENCY = 4;
const LEASE_NAMESPACE = "kube-node-lease";
/** Who looks so much later than it wanted to has stood still itself, and knows nothing of others. */
const STALL_MS = 5_000;

/** The last sign of life of a node, in our own time: clocks of machines aren't compared. */
interface Pulse {
  sign: string;
  atMs: number;
}

/** Runs until the context's signal aborts. */
export async function runNodeLifecycleController(context: ControllerContext): Promise<void> {
  const { client, informers, clock, signal } = context;
  const queue = new WorkQueue(clock);
  const nodes = informers.get(NODES);
  const leases = informers.get(LEASES);
  const pods = informers.get(PODS, { node: byNode });
  const events = new EventRecorder({ client, component: "node-controller", clock, signal });
  const pulses = new Map<string, Pulse>();

  nodes.onChange(({ kind, object }) => {
    if (kind === "deleted") pulses.delete(object.metadata.name);
    queue.add(object.metadata.name);
  });
  leases.onChange(({ object }) => {
    if (object.metadata.namespace !== LEASE_NAMESPACE) return;
    const name = object.metadata.name;
    if (nodes.lister.get(undefined, name) !== undefined) beat(name, object);
  });
  pods.onChange(({ kind, object }) => {
    const node = kind === "deleted" ? undefined : object.spec?.nodeName;
    if (node !== undefined && isMarked(nodes.lister.get(undefined, node))) queue.add(node);
  });

  /** Only a node that was silent has anything to be reconciled at a beat. */
  function beat(name: string, lease: Lease | undefined): Pulse {
    const node = nodes.lister.get(undefined, name);
    const sign = JSON.stringify([lease?.spec?.renewTime, heartbeatOf(node)]);
    const known = pulses.get(name);
    if (known?.sign === sign) return known;
    const pulse = { sign, atMs: clock.nowMs() };
    pulses.set(name, pulse);
    return pulse;
  }

  const markPods = async (node: Node): Promise<void> => {
    for (const pod of pods.lister.byIndex("node", node.metadata.name)) {
      if (isPodReady(pod)) await markNotReady(context, pod);
    }
  };

  const evict = async (node: Node): Promise<void> => {
    const taints = node.spec?.taints ?? [];
    if (!taints.some(({ effect }) => effect === "NoExecute")) return;
    const nowMs = clock.nowMs();
    for (const pod of pods.lister.byIndex("node", node.metadata.name)) {
      if (pod.metadata.deletionTimestamp !== undefined) continue;
      const eviction = evictionOf(pod, taints, nowMs);
      if (eviction.kind === "never") continue;
      if (eviction.ms > nowMs) {
        queue.addAfter(node.metadata.name, eviction.ms - nowMs);
        continue;
      }
      const message = `Marking for deletion Pod ${pod.metadata.namespace}/${pod.metadata.name}`;
      const involved = referenceTo(PODS, pod);
      events.record({ involved, type: "Normal", reason: "TaintManagerEviction", message });
      await deletePod(context, pod);
    }
  };

  await Promise.all([nodes.synced, leases.synced, pods.synced]);
  await runReconciler({
    name: "node-lifecycle-controller",
    queue,
    concurrency: CONCURRENCY,
    signal,
    async reconcile(name) {
      const listed = nodes.lister.get(undefined, name);
      if (listed === undefined) return;
      const pulse = beat(name, leases.lister.get(LEASE_NAMESPACE, name));
      const nowMs = clock.nowMs();
      if (nowMs - pulse.atMs > GRACE_MS + STALL_MS && isNodeReady(listed)) pulse.atMs = nowMs;
      const lateMs = pulse.atMs + GRACE_MS;
      const isSilent = nowMs >= lateMs;
      const node = await writeTaints(
        context,
        isSilent ? await writeSilence(context, listed) : listed,
      );
      if (!isNodeReady(node)) await markPods(node);
      await evict(node);
      if (!isSilent) queue.addAfter(name, lateMs - clock.nowMs());
    },
  });
}

function byNode(pod: Pod): readonly string[] {
  const node = pod.spec?.nodeName;
  return node === undefined || node === "" ? [] : [node];
}

function heartbeatOf(node: Node | undefined): string | undefined {
  return node?.status?.conditions?.find(({ type }) => type === "Ready")?.lastHeartbeatTime;
}

function isMarked(node: Node | undefined): boolean {
  return node?.spec?.taints?.some(({ effect }) => effect === "NoExecute") === true;
}

async function writeSilence({ client, clock }: ControllerContext, node: Node): Promise<Node> {
  const conditions = silentConditions(node, rfc3339(clock.nowMs()));
  if (conditions.every((condition) => node.status?.conditions?.includes(condition) === true)) {
    return node;
  }
  return client.updateStatus(NODES, { ...node, status: { ...node.status, conditions } });
}

async function writeTaints({ client, clock }: ControllerContext, node: Node): Promise<Node> {
  const taints = wantedTaints(node, rfc3339(clock.nowMs()));
  if (isDeepStrictEqual(taints, node.spec?.taints ?? [])) return node;
  const body = { metadata: { resourceVersion: node.metadata.resourceVersion }, spec: { taints } };
  return client.patch(NODES, node.metadata, { type: "merge", body });
}

/** Takes the pod out of its Services: nobody knows whether it still answers. */
async function markNotReady({ client, clock }: ControllerContext, pod: Pod): Promise<void> {
  const now = rfc3339(clock.nowMs());
  const conditions = (pod.status?.conditions ?? []).map((condition) =>
    condition.type === "Ready" && condition.status === "True"
      ? { ...condition, status: "False", lastTransitionTime: now }
      : condition,
  );
  try {
    await client.updateStatus(PODS, { ...pod, status: { ...pod.status, conditions } });
  } catch (error) {
    if (!hasReason(error, "NotFound")) throw error;
  }
}

async function deletePod({ client }: ControllerContext, pod: Pod): Promise<void> {
  try {
    await client.delete(PODS, pod.metadata, { preconditions: { uid: pod.metadata.uid } });
  } catch (error) {
    if (!hasReason(error, "NotFound") && !hasReason(error, "Conflict")) throw error;
  }
}
