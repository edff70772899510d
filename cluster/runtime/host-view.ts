/**
 * What a host image's container starts with above the host's root: an archive of whiteouts for all
 * that is to be hidden and of fresh empty folders, unpacked into its upper layer. What is hidden this
 * way can't be uncovered from inside, not even by a privileged container. (Lower layers can't do it:
 * overlayfs refuses a layer that lies inside another.)
 */

import { readFile, readdir, rename, writeFile } from "node:fs/promises";
import { join, sep } from "node:path";
import { type TarEntry, buildTar } from "./whiteout.ts";

/** Folders of the host's root that a host image shows; every other one is hidden. */
const SHOWN = new Set(
  "bin sbin lib lib32 lib64 libx32 usr etc opt var nix dev proc sys run tmp".split(" "),
);

/** What is hidden inside the shown folders: credentials, other programs' data, logs. */
const HIDDEN = [
  "/etc/shadow",
  "/etc/shadow-",
  "/etc/gshadow",
  "/etc/gshadow-",
  "/etc/passwd-",
  "/etc/group-",
  "/etc/sudoers",
  "/etc/sudoers.d",
  "/etc/ssh",
  "/etc/ssl/private",
  "/etc/pki/tls/private",
  "/etc/krb5.keytab",
  "/etc/security/opasswd",
  "/etc/kubernetes",
  "/etc/rancher",
  "/etc/docker",
  "/etc/containers/auth.json",
  "/etc/wireguard",
  "/etc/openvpn",
  "/etc/ipsec.secrets",
  "/etc/ipsec.d",
  "/etc/ppp",
  "/etc/netplan",
  "/etc/NetworkManager",
  "/etc/wpa_supplicant",
  "/etc/letsencrypt",
  "/etc/apt/auth.conf",
  "/etc/apt/auth.conf.d",
  "/etc/cups",
  "/etc/samba",
  "/etc/mysql",
  "/etc/postgresql",
  "/etc/environment",
  "/var/backups",
  "/var/cache",
  "/var/lib",
  "/var/log",
  "/var/mail",
  "/var/spool",
  "/var/tmp",
  "/var/www",
  "/run",
  "/tmp",
  "/dev",
  "/proc",
  "/sys",
];

/** Empty folders that programs expect, with their modes. */
const SKELETON: readonly [path: string, mode: number][] = [
  ["/root", 0o700],
  ["/home", 0o755],
  ["/tmp", 0o1777],
  ["/run", 0o755],
  ["/run/lock", 0o1777],
  ["/dev", 0o755],
  ["/proc", 0o555],
  ["/sys", 0o555],
  ["/mnt", 0o755],
  ["/srv", 0o755],
  ["/var/cache", 0o755],
  ["/var/lib", 0o755],
  ["/var/log", 0o755],
  ["/var/mail", 0o755],
  ["/var/spool", 0o755],
  ["/var/tmp", 0o1777],
];

/** Empty files over which the pod's own are mounted (on many hosts they are links into /run). */
const SKELETON_FILES = ["/etc/hosts", "/etc/hostname", "/etc/resolv.conf"];

/** File systems that hold programs; others (proc, tmpfs, network shares) are not shown. */
const DISK_TYPES = new Set(["ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "f2fs", "squashfs"]);

export interface HostView {
  /** The archive that a container's upper layer starts with. */
  upperArchive: string;
  /** Mount points of the host (a separate /usr, …) that an overlay over `/` doesn't show. */
  submounts: readonly string[];
}

/** Writes the archive into `dir`; hides `secretDirs` besides what is always hidden. */
export async function prepareHostView(
  dir: string,
  secretDirs: readonly string[],
): Promise<HostView> {
  const hidden = await hiddenPaths(secretDirs);
  const upperArchive = join(dir, "host-view.tar");
  await writeFile(`${upperArchive}.new`, buildTar(viewEntries(hidden)));
  await rename(`${upperArchive}.new`, upperArchive);
  return {
    upperArchive,
    submounts: (await diskMounts()).filter((mount) => isShown(mount, hidden)),
  };
}

/** Whiteouts for what is hidden, except where an empty folder takes its place. */
function viewEntries(hidden: readonly string[]): TarEntry[] {
  const replaced = new Set(SKELETON.map(([path]) => path));
  const parents = new Set(
    [...hidden, ...replaced, ...SKELETON_FILES].flatMap((path) => ancestors(path)),
  );
  const folders = [...parents].filter((path) => !replaced.has(path));
  return [
    ...folders.map((path): TarEntry => ({ path: `.${path}`, kind: "directory", mode: 0o755 })),
    ...SKELETON.map(([path, mode]): TarEntry => ({
      path: `.${path}`,
      kind: "directory",
      mode,
      xattrs: { "trusted.overlay.opaque": "y" },
    })),
    ...SKELETON_FILES.map((path): TarEntry => ({ path: `.${path}`, kind: "file", mode: 0o644 })),
    ...hidden
      .filter((path) => !replaced.has(path))
      .map((path): TarEntry => ({ path: `.${path}`, kind: "character-device", mode: 0 })),
  ];
}

/** The folders above a path, the outermost first, without the root. */
function ancestors(path: string): string[] {
  const parts = path.split("/").slice(1, -1);
  return parts.map((_, index) => `/${parts.slice(0, index + 1).join("/")}`);
}

async function hiddenPaths(secretDirs: readonly string[]): Promise<string[]> {
  const top = await readdir("/");
  const tops = top.filter((name) => !SHOWN.has(name)).map((name) => `/${name}`);
  const inside = [...HIDDEN, ...secretDirs].filter(
    (path) => !tops.some((hidden) => isBelow(path, hidden)),
  );
  const outermost = inside.filter(
    (path) => !inside.some((other) => other !== path && isBelow(path, other)),
  );
  return [...new Set([...tops, ...outermost])].toSorted();
}

function isBelow(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder + sep);
}

async function diskMounts(): Promise<string[]> {
  const lines = (await readFile("/proc/self/mounts", "utf8")).split("\n");
  const points = lines.flatMap((line) => {
    const [, point = "", type = ""] = line.split(" ");
    return DISK_TYPES.has(type) && point !== "/" ? [unescapeMount(point)] : [];
  });
  return [...new Set(points)];
}

function isShown(mount: string, hidden: readonly string[]): boolean {
  const top = mount.split("/")[1] ?? "";
  return SHOWN.has(top) && !hidden.some((path) => isBelow(mount, path));
}

/** /proc/mounts writes space, tab, newline and backslash as octal. */
export function unescapeMount(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) =>
    String.fromCharCode(Number.parseInt(octal, 8)),
  );
}
