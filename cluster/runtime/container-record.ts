/** A container's file in the state folder, by which a new agent takes the container over. */

import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { ContainerStatus } from "./container.ts";

/** The status with what only the runtime needs. */
export interface ContainerRecord extends ContainerStatus {
  /** Start time of `pid` (clock ticks since boot). */
  pidStartTime?: string;
  cgroupPath: string;
  hostPid: boolean;
  stdin: boolean;
}

const ID = /^[0-9a-f]{64}$/;

/** Whether a folder's name can be a container's id. */
export function isContainerId(text: string): boolean {
  return ID.test(text);
}

/** Replaces the file at once (rename), so that a reader sees the old or the new one. */
export async function writeRecord(dir: string, record: ContainerRecord): Promise<void> {
  const file = join(dir, "container.json");
  await writeFile(`${file}.new`, JSON.stringify(record));
  await rename(`${file}.new`, file);
}

/** Throws when the file is missing or is no record. */
export async function readRecord(dir: string): Promise<ContainerRecord> {
  const record = JSON.parse(await readFile(join(dir, "container.json"), "utf8")) as ContainerRecord;
  const { id, identity, state, logPath, cgroupPath } = record;
  const whole =
    isContainerId(id) &&
    typeof identity?.podUid === "string" &&
    typeof identity.name === "string" &&
    Number.isInteger(identity.attempt) &&
    ["created", "running", "exited"].includes(state) &&
    typeof logPath === "string" &&
    typeof cgroupPath === "string";
  if (!whole) throw new Error("container.json lacks required fields");
  return record;
}

/** What the kubelet sees of a record. */
export function statusOf(record: ContainerRecord): ContainerStatus {
  const { pidStartTime: _time, cgroupPath: _path, hostPid: _pid, stdin: _in, ...status } = record;
  return status;
}
