/** A pod's control group: its containers' groups are in it. */

import { join } from "node:path";
import type { Pod } from "#cluster/api/generated/core-v1.ts";
import { removeCgroup } from "#cluster/runtime/cgroup.ts";
import { limitCgroup } from "#cluster/runtime/cgroup-limits.ts";
import { ContainerError } from "#cluster/runtime/container.ts";
import type { PodContext } from "./pod-context.ts";
import { podIdentity } from "./pod-parts.ts";
import { podGroupLimits } from "./resources.ts";

/** Its path below the roots of the control groups. */
export function podGroupPath(cgroupParent: string, uid: string): string {
  return join(cgroupParent, `pod${uid}`);
}

/** Makes the group if it isn't there, with the pod's limits; rejects with ContainerError. */
export async function ensurePodGroup({ runtime, config }: PodContext, pod: Pod): Promise<void> {
  const group = podGroupPath(config.cgroupParent, podIdentity(pod).uid);
  await limitCgroup(runtime.cgroups, group, podGroupLimits(pod)).catch((cause: Error) => {
    throw new ContainerError("CreateContainerError", cause.message, { cause });
  });
}

/** Once no container is in it any more. */
export async function removePodGroup({ runtime, config }: PodContext, pod: Pod): Promise<void> {
  await removeCgroup(runtime.cgroups, podGroupPath(config.cgroupParent, podIdentity(pod).uid));
}
