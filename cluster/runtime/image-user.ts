/** Users and groups of an image: names → ids by its own /etc/passwd and /etc/group. */

import { lstat, readFile } from "node:fs/promises";
import { join } from "node:path";

export interface ContainerUser {
  uid: number;
  gid: number;
  /** Groups that the image's /etc/group gives to the user. */
  groups: readonly number[];
  home: string;
}

export type UserResult = { ok: true; user: ContainerUser } | { ok: false; message: string };

export interface UserFiles {
  passwd: string;
  group: string;
}

const MAX_FILE_BYTES = 4 << 20;
const MAX_ID = 0x7fffffff;

/** Reads both files from the topmost folder that has them; a link there is not followed. */
export async function readUserFiles(folders: readonly string[]): Promise<UserFiles> {
  const read = async (name: string): Promise<string> => {
    for (const folder of folders) {
      const file = join(folder, "etc", name);
      const etc = await lstat(join(folder, "etc")).catch(() => undefined);
      const info = await lstat(file).catch(() => undefined);
      if (etc?.isDirectory() !== true || info === undefined) continue;
      return info.isFile() && info.size <= MAX_FILE_BYTES ? await readFile(file, "utf8") : "";
    }
    return "";
  };
  return { passwd: await read("passwd"), group: await read("group") };
}

/**
 * The user a container runs as. `runAsUser` and `runAsGroup` win over the image's `user[:group]`;
 * without a group it is the user's own of /etc/passwd, or root's.
 */
export function resolveUser(
  files: UserFiles,
  imageUser: string,
  override: { uid?: number; gid?: number },
): UserResult {
  const [userPart = "", groupPart] = imageUser.split(":");
  const wanted = override.uid === undefined ? userPart || "0" : String(override.uid);
  const entry = passwdEntries(files.passwd).find(
    ({ name, uid }) => name === wanted || String(uid) === wanted,
  );
  const uid = entry?.uid ?? parseId(wanted);
  if (uid === undefined) {
    return {
      ok: false,
      message: `unable to find user ${wanted}: no matching entry in passwd file`,
    };
  }
  const group = override.uid === undefined ? groupPart : undefined;
  const groups = groupEntries(files.group);
  const named = groups.find(({ name }) => name === group)?.gid ?? parseId(group);
  if (group !== undefined && group !== "" && named === undefined) {
    return { ok: false, message: `unable to find group ${group}: no matching entry in group file` };
  }
  return {
    ok: true,
    user: {
      uid,
      gid: override.gid ?? named ?? entry?.gid ?? 0,
      groups: groups
        .filter(({ members }) => entry !== undefined && members.includes(entry.name))
        .map(({ gid }) => gid),
      home: entry?.home ?? "/",
    },
  };
}

function parseId(text: string | undefined): number | undefined {
  if (text === undefined || !/^\d{1,10}$/.test(text)) return undefined;
  const id = Number(text);
  return id <= MAX_ID ? id : undefined;
}

function passwdEntries(text: string): { name: string; uid: number; gid: number; home: string }[] {
  return text.split("\n").flatMap((line) => {
    const [name = "", , uid, gid, , home = "/"] = line.split(":");
    const ids = { uid: parseId(uid), gid: parseId(gid) };
    if (name === "" || ids.uid === undefined || ids.gid === undefined) return [];
    return [{ name, uid: ids.uid, gid: ids.gid, home: home === "" ? "/" : home }];
  });
}

function groupEntries(text: string): { name: string; gid: number; members: string[] }[] {
  return text.split("\n").flatMap((line) => {
    const [name = "", , gid, members = ""] = line.split(":");
    const id = parseId(gid);
    return name === "" || id === undefined ? [] : [{ name, gid: id, members: members.split(",") }];
  });
}
