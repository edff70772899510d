/** Requests and limits → control group settings; the pod's quality of service. */

import type { Container, Pod } from "#cluster/api/generated/core-v1.ts";
import { podLimits, podRequests } from "#cluster/api/pod-resources.ts";
import { parseQuantity, quantityBytes, quantityMilli } from "#cluster/api/quantity.ts";
import type { CgroupLimits } from "#cluster/runtime/cgroup-limits.ts";
import type { ContainerResources } from "#cluster/runtime/container.ts";
import { allContainers } from "./pod-parts.ts";

export type QosClass = "Guaranteed" | "Burstable" | "BestEffort";

const MIN_SHARES = 2;
const MAX_SHARES = 262_144;
const MIN_QUOTA_US = 1000;
const PIDS_LIMIT = 16_384;

/** Control group settings of a container, by Kubernetes' rules (kuberuntime, cm/helpers_linux). */
export function containerResources(
  pod: Pod,
  container: Container,
  nodeMemoryBytes: number,
): ContainerResources {
  const { limits = {}, requests = {} } = container.resources ?? {};
  const cpuRequest = milli(requests.cpu ?? limits.cpu);
  const memoryLimit = unlessZero(bytes(limits.memory));
  return {
    cpuShares: shares(cpuRequest ?? 0),
    cpuQuotaUs: quotaUs(milli(limits.cpu)),
    memoryLimitBytes: memoryLimit,
    pidsLimit: PIDS_LIMIT,
    oomScoreAdj: oomScore(pod, bytes(requests.memory) ?? memoryLimit ?? 0, nodeMemoryBytes),
  };
}

/**
 * What a pod's containers share: CPU time in proportion to all that the pod requests, and no more
 * of what each of them limits than all their limits together (cm/helpers_linux).
 */
export function podGroupLimits(pod: Pod): CgroupLimits {
  const limits = podLimits(pod);
  return {
    cpuShares: shares(podRequests(pod).get("cpu") ?? 0),
    cpuQuotaUs: quotaUs(limits.get("cpu")),
    memoryLimitBytes: unlessZero(limits.get("memory")),
  };
}

function shares(milliCpu: number): number {
  return clamp(Math.trunc((milliCpu * 1024) / 1000), MIN_SHARES, MAX_SHARES);
}

function quotaUs(milliCpu: number | undefined): number | undefined {
  const limit = unlessZero(milliCpu);
  return limit === undefined ? undefined : Math.max(MIN_QUOTA_US, limit * 100);
}

/** A limit of 0 is none. */
function unlessZero(limit: number | undefined): number | undefined {
  return limit === 0 ? undefined : limit;
}

function oomScore(pod: Pod, requestBytes: number, nodeMemoryBytes: number): number {
  const qos = qosClass(pod);
  if (qos === "Guaranteed") return -997;
  if (qos === "BestEffort") return 1000;
  return clamp(1000 - Math.trunc((1000 * requestBytes) / nodeMemoryBytes), 3, 999);
}

/** Guaranteed when all containers limit cpu and memory to what they request. */
export function qosClass(pod: Pod): QosClass {
  const containers = allContainers(pod).map(({ resources }) => ({
    requests: resources?.requests ?? {},
    limits: resources?.limits ?? {},
  }));
  const names = ["cpu", "memory"];
  const mentions = containers.some(({ requests, limits }) =>
    names.some((name) => isPositive(requests[name]) || isPositive(limits[name])),
  );
  if (!mentions) return "BestEffort";
  const guaranteed = containers.every(({ requests, limits }) =>
    names.every((name) => {
      const limit = limits[name];
      const request = requests[name] ?? limit;
      return isPositive(limit) && sameQuantity(limit, request);
    }),
  );
  return guaranteed ? "Guaranteed" : "Burstable";
}

function isPositive(quantity: string | undefined): quantity is string {
  const parsed = parseQuantity(quantity ?? "");
  return parsed.ok && parsed.value > 0n;
}

function sameQuantity(a: string | undefined, b: string | undefined): boolean {
  const left = parseQuantity(a ?? "");
  const right = parseQuantity(b ?? "");
  return left.ok && right.ok && left.value === right.value;
}

function milli(quantity: string | undefined): number | undefined {
  return quantity === undefined ? undefined : quantityMilli(quantity);
}

function bytes(quantity: string | undefined): number | undefined {
  return quantity === undefined ? undefined : quantityBytes(quantity);
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(Math.max(value, low), high);
}
