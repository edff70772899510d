/** GET /stats/summary: what the node and its pods use now (the part that metrics are made of). */

import { availableParallelism, freemem, loadavg, totalmem } from "node:os";
import { podIdentity } from "#cluster/kubelet/pod-parts.ts";
import { cgroupUsage } from "#cluster/runtime/cgroup.ts";
import type { ServerContext } from "./targets.ts";

/** kubelet's stats/v1alpha1 Summary with cpu and memory. */
export async function statsSummary(server: ServerContext): Promise<unknown> {
  const { runtime, config } = server.context;
  const time = new Date().toISOString();
  const pods = await Promise.all(
    server.workers.all().map(async ({ pod }) => {
      const { uid, name, namespace } = podIdentity(pod);
      const running = runtime.containers.ofPod(uid).filter(({ state }) => state === "running");
      const containers = await Promise.all(
        running.map(async ({ id, identity, startedAt }) => {
          const usage = await cgroupUsage(runtime.cgroups, runtime.containers.cgroupPath(id) ?? "");
          return { name: identity.name, startTime: startedAt, ...usageStats(time, usage) };
        }),
      );
      return { podRef: { name, namespace, uid }, startTime: pod.status?.startTime, containers };
    }),
  );
  const usedBytes = totalmem() - freemem();
  return {
    node: {
      nodeName: config.nodeName,
      cpu: {
        time,
        usageNanoCores: Math.trunc(
          Math.min(loadavg()[0] ?? 0, availableParallelism()) * 1_000_000_000,
        ),
      },
      memory: {
        time,
        availableBytes: freemem(),
        usageBytes: usedBytes,
        workingSetBytes: usedBytes,
      },
    },
    pods,
  };
}

function usageStats(time: string, usage: Awaited<ReturnType<typeof cgroupUsage>>): object {
  if (usage === undefined) return {};
  return {
    cpu: { time, usageCoreNanoSeconds: usage.cpuNanoseconds },
    memory: {
      time,
      usageBytes: usage.memoryBytes,
      workingSetBytes: usage.workingSetBytes,
    },
  };
}
