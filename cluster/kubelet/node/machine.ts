/** Facts of the machine that a node is part of. */

import { readFile, statfs } from "node:fs/promises";
import { availableParallelism, release, totalmem } from "node:os";
import { goArchitecture } from "#cluster/runtime/manifest.ts";
import type { OciTools } from "#cluster/runtime/oci-runtime.ts";

export interface MachineFacts {
  cpus: number;
  memoryBytes: number;
  /** Of the file system that the state folder is on. */
  diskBytes: number;
  architecture: string;
  machineId: string;
  bootId: string;
  kernelVersion: string;
  osImage: string;
  /** For example `lateen://crun-1.8.1`. */
  runtimeVersion: string;
}

export interface NodePressure {
  disk: boolean;
  memory: boolean;
  pid: boolean;
}

/** Below these shares of what there is, the node is under pressure (the kubelet's defaults). */
const MIN_DISK_SHARE = 0.05;
const MIN_MEMORY_BYTES = 100 << 20;

export async function readMachine(stateDir: string, tools: OciTools): Promise<MachineFacts> {
  const text = async (file: string): Promise<string> =>
    (await readFile(file, "utf8").catch(() => "")).trim();
  const disk = await statfs(stateDir);
  const osRelease = await text("/etc/os-release");
  return {
    cpus: availableParallelism(),
    memoryBytes: totalmem(),
    diskBytes: disk.blocks * disk.bsize,
    architecture: goArchitecture(),
    machineId: await text("/etc/machine-id"),
    bootId: await text("/proc/sys/kernel/random/boot_id"),
    kernelVersion: release(),
    osImage: /^PRETTY_NAME="?([^"\n]*)"?$/m.exec(osRelease)?.[1] ?? "Linux",
    runtimeVersion: `lateen://${tools.name}-${tools.version}`,
  };
}

export async function readPressure(stateDir: string): Promise<NodePressure> {
  const disk = await statfs(stateDir);
  const memory = await readFile("/proc/meminfo", "utf8");
  const availableKib = Number(/^MemAvailable:\s+(\d+) kB$/m.exec(memory)?.[1] ?? "0");
  return {
    disk: disk.bavail < disk.blocks * MIN_DISK_SHARE,
    memory: availableKib * 1024 < MIN_MEMORY_BYTES,
    pid: false,
  };
}
