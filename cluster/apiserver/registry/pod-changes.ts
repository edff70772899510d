/** What binding and eviction do to a Pod. */

import type { KubeObject } from "#cluster/api/meta.ts";
import type { Pod, PodCondition } from "#cluster/api/generated/core-v1.ts";
import type { Kind } from "#cluster/apiserver/kinds/kind.ts";
import { timestamp } from "./context.ts";
import { conflict } from "./errors.ts";

/** Gives the pod to a node, once; throws Conflict when it has one or is being deleted. */
export function bindPod(
  kind: Kind,
  object: KubeObject,
  binding: { node: string; uid: string | undefined; now: number },
): KubeObject {
  const pod = object as unknown as Pod;
  const { name, uid, deletionTimestamp } = pod.metadata;
  if (binding.uid !== undefined && binding.uid !== "" && binding.uid !== uid) {
    throw conflict(kind, name, `the binding is for uid ${binding.uid}, the pod has ${uid}`);
  }
  if (deletionTimestamp !== undefined) {
    throw conflict(kind, name, `pod ${name} is being deleted, cannot be assigned to a host`);
  }
  const assigned = pod.spec?.nodeName ?? "";
  if (assigned !== "") {
    throw conflict(kind, name, `pod ${name} is already assigned to node "${assigned}"`);
  }
  const condition = { type: "PodScheduled", status: "True" };
  return {
    ...object,
    spec: { ...pod.spec, nodeName: binding.node },
    status: { ...pod.status, conditions: setCondition(pod, condition, binding.now) },
  };
}

/** Says in the pod's status why it goes. */
export function markForEviction(object: KubeObject, now: number): KubeObject {
  const pod = object as unknown as Pod;
  const condition = {
    type: "DisruptionTarget",
    status: "True",
    reason: "EvictionByEvictionAPI",
    message: "Eviction API: evicting",
  };
  return {
    ...object,
    status: { ...pod.status, conditions: setCondition(pod, condition, now) },
  };
}

function setCondition(pod: Pod, condition: PodCondition, now: number): PodCondition[] {
  const others = (pod.status?.conditions ?? []).filter((it) => it.type !== condition.type);
  return [...others, { ...condition, lastTransitionTime: timestamp(now) }];
}
