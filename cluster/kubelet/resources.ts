/** Requests and limits → control group settings; the pod's quality of service. */

import type { Container, Pod } from "#cluster/api/generated/core-v1.ts";
import { parseQuantity, quantityBytes, quantityMilli } from "#cluster/api/quantity.ts";
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
  const cpuLimit = milli(limits.cpu);
  const memoryLimit = bytes(limits.memory);
  return {
    cpuShares: clamp(Math.trunc(((cpuRequest ?? 0) * 1024) / 1000), MIN_SHARES, MAX_SHARES),
    cpuQuotaUs: cpuLimit === undefined ? undefined : Math.max(MIN_QUOTA_US, cpuLimit * 100),
    memoryLimitBytes: memoryLimit,
    pidsLimit: PIDS_LIMIT,
    oomScoreAdj: oomScore(pod, bytes(requests.memory) ?? memoryLimit ?? 0, nodeMemoryBytes),
  };
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
