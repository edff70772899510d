/** The Node object of this machine's share, from facts that were read before (pure). */

import type { NodeCondition, NodeStatus } from "#cluster/api/generated/core-v1.ts";
import type { NodeConfig } from "#cluster/api/process-config.ts";
import type { MachineFacts, NodePressure } from "./machine.ts";

export const KUBELET_PORT = 10_250;
const KUBELET_VERSION = "v1.36.0";
const MAX_PODS = 110;
const MIB = 1 << 20;

export function nodeLabels(config: NodeConfig, machine: MachineFacts): Record<string, string> {
  return {
    "beta.kubernetes.io/arch": machine.architecture,
    "beta.kubernetes.io/os": "linux",
    "kubernetes.io/arch": machine.architecture,
    "kubernetes.io/hostname": config.nodeName,
    "kubernetes.io/os": "linux",
  };
}

/** What the node has, and what of it pods may have. */
export function nodeResources(machine: MachineFacts): {
  capacity: Record<string, string>;
  allocatable: Record<string, string>;
} {
  const reservedBytes = Math.min(machine.memoryBytes / 10, 512 * MIB);
  const ki = (bytes: number) => `${Math.trunc(bytes / 1024)}Ki`;
  const common = {
    cpu: String(machine.cpus),
    "ephemeral-storage": ki(machine.diskBytes),
    "hugepages-1Gi": "0",
    "hugepages-2Mi": "0",
    pods: String(MAX_PODS),
  };
  return {
    capacity: { ...common, memory: ki(machine.memoryBytes) },
    allocatable: {
      ...common,
      "ephemeral-storage": ki(machine.diskBytes * 0.9),
      memory: ki(machine.memoryBytes - reservedBytes),
    },
  };
}

export function nodeStatus(options: {
  config: NodeConfig;
  machine: MachineFacts;
  pressure: NodePressure;
  /** Why the node isn't ready; undefined when it is. */
  problem: string | undefined;
  existing: readonly NodeCondition[];
  now: string;
}): NodeStatus {
  const { config, machine } = options;
  return {
    ...nodeResources(machine),
    addresses: [
      { type: "InternalIP", address: config.nodeAddress },
      { type: "Hostname", address: config.nodeName },
    ],
    conditions: nodeConditions(options),
    daemonEndpoints: { kubeletEndpoint: { Port: KUBELET_PORT } },
    nodeInfo: {
      machineID: machine.machineId,
      systemUUID: machine.machineId,
      bootID: machine.bootId,
      kernelVersion: machine.kernelVersion,
      osImage: machine.osImage,
      containerRuntimeVersion: machine.runtimeVersion,
      kubeletVersion: KUBELET_VERSION,
      kubeProxyVersion: KUBELET_VERSION,
      operatingSystem: "linux",
      architecture: machine.architecture,
    },
  };
}

function nodeConditions(options: Parameters<typeof nodeStatus>[0]): NodeCondition[] {
  const { pressure, problem, existing, now } = options;
  const conditions: [type: string, isTrue: boolean, reason: string, message: string][] = [
    [
      "MemoryPressure",
      pressure.memory,
      pressure.memory ? "KubeletHasInsufficientMemory" : "KubeletHasSufficientMemory",
      `kubelet has ${pressure.memory ? "insufficient" : "sufficient"} memory available`,
    ],
    [
      "DiskPressure",
      pressure.disk,
      pressure.disk ? "KubeletHasDiskPressure" : "KubeletHasNoDiskPressure",
      `kubelet has ${pressure.disk ? "" : "no "}disk pressure`,
    ],
    [
      "PIDPressure",
      pressure.pid,
      pressure.pid ? "KubeletHasInsufficientPID" : "KubeletHasSufficientPID",
      `kubelet has ${pressure.pid ? "insufficient" : "sufficient"} PID available`,
    ],
    [
      "Ready",
      problem === undefined,
      problem === undefined ? "KubeletReady" : "KubeletNotReady",
      problem ?? "kubelet is posting ready status",
    ],
  ];
  return conditions.map(([type, isTrue, reason, message]) => {
    const status = isTrue ? "True" : "False";
    const old = existing.find((condition) => condition.type === type);
    const lastTransitionTime = old?.status === status ? old.lastTransitionTime : now;
    return { type, status, lastHeartbeatTime: now, lastTransitionTime, reason, message };
  });
}
