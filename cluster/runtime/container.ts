/** What the kubelet asks of the runtime, and what the runtime tells. */

import type { Image } from "./image.ts";

/** Names a container for good: every restart is another attempt, with its own id. */
export interface ContainerIdentity {
  podUid: string;
  podNamespace: string;
  podName: string;
  /** The container's name in the pod. */
  name: string;
  /** 0 for the first start; the pod's restartCount. */
  attempt: number;
}

export interface ContainerMount {
  /** On the host; exists already. */
  source: string;
  target: string;
  readOnly: boolean;
}

export interface ContainerResources {
  /** cgroup v1 shares (2 … 262144); converted to a weight on cgroup v2. */
  cpuShares?: number;
  /** CPU time in µs a period of 100 ms. */
  cpuQuotaUs?: number;
  memoryLimitBytes?: number;
  pidsLimit?: number;
  /** -1000 … 1000. */
  oomScoreAdj?: number;
}

export interface ContainerSecurity {
  uid?: number;
  gid?: number;
  supplementalGroups: readonly number[];
  /** Refuses to start as uid 0. */
  runAsNonRoot: boolean;
  privileged: boolean;
  readOnlyRoot: boolean;
  noNewPrivileges: boolean;
  /** Names with or without `CAP_`, or `ALL`. */
  addCapabilities: readonly string[];
  dropCapabilities: readonly string[];
}

export interface ContainerConfig {
  identity: ContainerIdentity;
  /** The kubelet's hash of the container's spec; another hash means another container. */
  specHash: string;
  image: Image;
  /** Replaces the image's entrypoint (and its cmd). */
  command: readonly string[];
  args: readonly string[];
  env: readonly (readonly [name: string, value: string])[];
  workingDir: string;
  hostname: string;
  /** A network namespace's file; undefined is the agent's own (hostNetwork). */
  netnsPath?: string;
  hostPid: boolean;
  hostIpc: boolean;
  security: ContainerSecurity;
  resources: ContainerResources;
  mounts: readonly ContainerMount[];
  sysctls: Readonly<Record<string, string>>;
  tty: boolean;
  stdin: boolean;
  stdinOnce: boolean;
  /** CRI log file; its folder is made. */
  logPath: string;
  /** Relative to the controller roots; the container's own group is made below it. */
  cgroupParent: string;
  stopSignal?: string;
}

export interface ContainerStatus {
  id: string;
  identity: ContainerIdentity;
  specHash: string;
  /** As asked for, completed. */
  imageReference: string;
  imageRef: string;
  state: "created" | "running" | "exited";
  /** RFC 3339 with milliseconds. */
  createdAt: string;
  startedAt?: string;
  finishedAt?: string;
  exitCode?: number;
  /** Why it exited: `Completed`, `Error`, `OOMKilled`, `ContainerStatusUnknown`, `StartError`. */
  reason?: string;
  message?: string;
  /** Of the container's first process, as the host counts. */
  pid?: number;
  logPath: string;
  tty: boolean;
  stopSignal?: string;
}

/** Thrown when the OCI runtime refuses; `message` is what it said. */
export class ContainerError extends Error {
  readonly reason: "CreateContainerError" | "RunContainerError" | "CreateContainerConfigError";

  constructor(reason: ContainerError["reason"], message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "ContainerError";
    this.reason = reason;
  }
}
