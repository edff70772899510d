/**
 * Replaces all files of a volume at once: they lie in a time-stamped folder, `..data` is a link to it
 * that is swapped by a rename, and each visible name is a link through `..data`.
 */

import {
  chmod,
  chown,
  mkdir,
  readdir,
  readlink,
  rename,
  rm,
  symlink,
  writeFile,
} from "node:fs/promises";
import { dirname, join } from "node:path";
import type { VolumeFile } from "./files.ts";

/** Writes the files; `group` (fsGroup) owns them and may read them. */
export async function writeAtomically(
  dir: string,
  files: ReadonlyMap<string, VolumeFile>,
  group: number | undefined,
): Promise<void> {
  await mkdir(dir, { recursive: true, mode: 0o755 });
  const stamp = `..${new Date().toISOString().replaceAll(/[-:TZ]/g, "_")}${process.hrtime.bigint()}`;
  const fresh = join(dir, stamp);
  await mkdir(fresh, { mode: 0o755 });
  for (const [path, file] of files) await writeOne(fresh, path, file, group);
  await chmod(fresh, 0o755);
  const data = join(dir, "..data");
  const previous = await readlink(data).catch(() => undefined);
  await symlink(stamp, join(dir, "..data_tmp"));
  await rename(join(dir, "..data_tmp"), data);
  await linkNames(dir, new Set([...files.keys()].map((path) => path.split("/")[0] ?? path)));
  if (previous !== undefined && previous.startsWith("..") && !previous.includes("/")) {
    await rm(join(dir, previous), { recursive: true, force: true });
  }
}

async function writeOne(
  root: string,
  path: string,
  file: VolumeFile,
  group: number | undefined,
): Promise<void> {
  const target = join(root, path);
  if (path.includes("/")) await mkdir(dirname(target), { recursive: true, mode: 0o755 });
  const mode = group === undefined ? file.mode : file.mode | 0o040;
  await writeFile(target, file.content);
  if (group !== undefined) await chown(target, 0, group);
  // The mode of writeFile is subject to the umask.
  await chmod(target, mode);
}

/** Links for new names; links of names that have gone are removed after the swap. */
async function linkNames(dir: string, names: ReadonlySet<string>): Promise<void> {
  const existing = (await readdir(dir)).filter((name) => !name.startsWith(".."));
  for (const name of names) {
    if (!existing.includes(name)) await symlink(join("..data", name), join(dir, name));
  }
  for (const name of existing) {
    if (!names.has(name)) await rm(join(dir, name), { force: true });
  }
}
