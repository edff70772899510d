/** Volumes that are folders: emptyDir and hostPath. */

import { chmod, chown, mkdir, readFile, stat, writeFile } from "node:fs/promises";
import type { EmptyDirVolumeSource, HostPathVolumeSource } from "#cluster/api/generated/core-v1.ts";
import { quantityBytes } from "#cluster/api/quantity.ts";
import { run } from "#cluster/runtime/process.ts";
import { unescapeMount } from "#cluster/runtime/host-view.ts";

/** Makes an emptyDir once; with medium Memory a tmpfs, bounded by its sizeLimit. */
export async function ensureEmptyDir(
  dir: string,
  source: EmptyDirVolumeSource,
  group: number | undefined,
): Promise<void> {
  const exists = (await stat(dir).catch(() => undefined)) !== undefined;
  if (!exists) await mkdir(dir, { recursive: true });
  const isMemory = source.medium === "Memory";
  const mounted = isMemory && (await mountPoints(dir)).includes(dir);
  if (isMemory && !mounted) await mountTmpfs(dir, source.sizeLimit);
  if (exists && (!isMemory || mounted)) return;
  if (group !== undefined) await chown(dir, 0, group);
  await chmod(dir, group === undefined ? 0o777 : 0o2777);
}

async function mountTmpfs(dir: string, sizeLimit: string | undefined): Promise<void> {
  const bytes = sizeLimit === undefined || sizeLimit === "0" ? 0 : quantityBytes(sizeLimit);
  const size = bytes > 0 ? String(bytes) : "50%";
  const options = `size=${size},mode=0777,nosuid,nodev`;
  const result = await run("mount", ["-n", "-t", "tmpfs", "-o", options, "tmpfs", dir]);
  if (result.code !== 0) throw new Error(`tmpfs can't be mounted: ${result.stderr.trim()}`);
}

/** Mount points at or below a folder, the innermost first. */
export async function mountPoints(folder: string): Promise<string[]> {
  const lines = (await readFile("/proc/self/mounts", "utf8")).split("\n");
  return lines
    .map((line) => unescapeMount(line.split(" ")[1] ?? ""))
    .filter((point) => point === folder || point.startsWith(`${folder}/`))
    .toReversed();
}

/** Unmounts everything at or below a folder. */
export async function unmountBelow(folder: string): Promise<void> {
  for (const point of await mountPoints(folder)) {
    const result = await run("umount", ["-l", point]);
    if (result.code !== 0) throw new Error(`${point} can't be unmounted: ${result.stderr.trim()}`);
  }
}

/** Checks (and makes, where its type says so) a hostPath; throws in the kubelet's words. */
export async function ensureHostPath(source: HostPathVolumeSource): Promise<string> {
  const { path, type = "" } = source;
  if (path.split("/").includes("..") || !path.startsWith("/")) {
    throw new Error(`hostPath ${path} must be absolute and without ".."`);
  }
  if (type === "DirectoryOrCreate") await mkdir(path, { recursive: true, mode: 0o755 });
  if (type === "FileOrCreate") await writeFile(path, "", { flag: "a", mode: 0o644 });
  const info = await stat(path).catch(() => undefined);
  const fits: Record<string, boolean> = {
    "": info !== undefined,
    Directory: info?.isDirectory() === true,
    DirectoryOrCreate: info?.isDirectory() === true,
    File: info?.isFile() === true,
    FileOrCreate: info?.isFile() === true,
    Socket: info?.isSocket() === true,
    CharDevice: info?.isCharacterDevice() === true,
    BlockDevice: info?.isBlockDevice() === true,
  };
  if (info === undefined && type === "") {
    // Docker's old behaviour, which Kubernetes keeps: a missing path becomes a folder.
    await mkdir(path, { recursive: true, mode: 0o755 });
    return path;
  }
  if (!Object.hasOwn(fits, type) || fits[type] !== true) {
    throw new Error(`hostPath type check failed: ${path} is not a ${describeType(type)}`);
  }
  return path;
}

function describeType(type: string): string {
  const words: Record<string, string> = {
    Directory: "directory",
    DirectoryOrCreate: "directory",
    File: "file",
    FileOrCreate: "file",
    Socket: "socket file",
    CharDevice: "character device",
    BlockDevice: "block device",
  };
  return Object.hasOwn(words, type) ? (words[type] ?? type) : type;
}
