/** The OCI runtime's program: crun, or runc where there is no crun. */

import { access, constants } from "node:fs/promises";
import { delimiter, join } from "node:path";
import type { CgroupHost } from "./cgroup.ts";
import { run } from "./process.ts";
import { WHITEOUT_TAR } from "./whiteout.ts";

export interface OciTools {
  name: "crun" | "runc";
  runtimePath: string;
  conmonPath: string;
  /** For nodeInfo and doctor, for example `1.8.1`. */
  version: string;
}

export interface CommandLine {
  command: string;
  args: string[];
}

/** Finds the programs on the PATH; throws with what to install when one is missing. */
export async function findTools(path = process.env.PATH ?? ""): Promise<OciTools> {
  const folders = [...path.split(delimiter), "/usr/sbin", "/usr/bin", "/usr/local/bin"];
  const find = async (name: string): Promise<string | undefined> => {
    for (const folder of folders) {
      const file = join(folder, name);
      const usable = await access(file, constants.X_OK).then(
        () => true,
        () => false,
      );
      if (folder !== "" && usable) return file;
    }
    return undefined;
  };
  const crun = await find("crun");
  const runtimePath = crun ?? (await find("runc"));
  const conmonPath = await find("conmon");
  if (runtimePath === undefined) {
    throw new Error("neither crun nor runc is on the PATH: apt-get install crun");
  }
  if (conmonPath === undefined) {
    throw new Error("conmon is not on the PATH: apt-get install conmon");
  }
  const { stdout } = await run(runtimePath, ["--version"]);
  const version = /version (\S+)/.exec(stdout)?.[1] ?? "unknown";
  return { name: crun === undefined ? "runc" : "crun", runtimePath, conmonPath, version };
}

/**
 * In a mount namespace of its own (slave: nothing gets out, unmounts of the host come in):
 * crun 1.8 refuses hosts with cgroup v1 and a cgroup2 tree beside it, so that tree is taken away.
 * The namespace ends with the last process in it, and so do its mounts.
 */
const WITHOUT_UNIFIED = 'umount /sys/fs/cgroup/unified; exec "$@"';

/**
 * Mounts the container's root (on a tmpfs where the state folder's file system can't hold an upper
 * layer) and becomes conmon. As the mount exists in this namespace only, it ends with the container
 * and its monitor, whatever becomes of the agent.
 */
const LAUNCH = `
[ "$1" = 0 ] || umount /sys/fs/cgroup/unified
lower=$2 archive=$3 dir=$4
shift 4
overlay() {
  mkdir -p "$1/upper" "$1/work" || return
  [ -z "$archive" ] || tar ${WHITEOUT_TAR.join(" ")} --file="$archive" --directory="$1/upper" || return
  mount -n -t overlay overlay -o "lowerdir=$lower,upperdir=$1/upper,workdir=$1/work" "$dir/root"
}
if ! overlay "$dir"; then
  mount -n -t tmpfs -o size=25%,mode=0755 tmpfs "$dir/scratch" && overlay "$dir/scratch" || exit 125
fi
exec "$@"
`;

const IN_MOUNT_NAMESPACE = ["--mount", "--propagation", "slave", "--", "sh", "-c"];

export class OciRuntime {
  readonly #tools: OciTools;
  readonly #hybrid: boolean;
  readonly #global: readonly string[];

  /** `root` is the runtime's own state folder; it must not outlive a reboot unseen. */
  constructor(tools: OciTools, cgroups: CgroupHost, root: string) {
    this.#tools = tools;
    this.#hybrid = tools.name === "crun" && cgroups.hybrid;
    this.#global = [
      `--root=${root}`,
      ...(tools.name === "crun" ? ["--cgroup-manager=cgroupfs"] : []),
    ];
  }

  /** The command line of a verb (`start ID`, `exec …`). */
  commandLine(...args: string[]): CommandLine {
    const line = [this.#tools.runtimePath, ...this.#global, ...args];
    return this.#hybrid
      ? { command: "unshare", args: [...IN_MOUNT_NAMESPACE, WITHOUT_UNIFIED, "sh", ...line] }
      : { command: line[0] ?? "", args: line.slice(1) };
  }

  /** The command line that mounts `lower` below `dir/root` and runs conmon there. */
  launchLine(options: {
    /** Lower layers, the topmost first. */
    lower: readonly string[];
    /** Unpacked into the upper layer first. */
    upperArchive?: string;
    dir: string;
    conmonArgs: readonly string[];
    id: string;
  }): CommandLine {
    const conmon = [
      this.#tools.conmonPath,
      `--runtime=${this.#tools.runtimePath}`,
      ...this.#global.map((argument) => `--runtime-arg=${argument}`),
      ...options.conmonArgs,
      // conmon itself frees the container's cgroup and state, even while no agent runs.
      `--exit-command=${this.#tools.runtimePath}`,
      ...[...this.#global, "delete", "--force", options.id].map(
        (argument) => `--exit-command-arg=${argument}`,
      ),
    ];
    const lower = options.lower.join(":");
    const flags = [this.#hybrid ? "1" : "0", lower, options.upperArchive ?? "", options.dir];
    return { command: "unshare", args: [...IN_MOUNT_NAMESPACE, LAUNCH, "sh", ...flags, ...conmon] };
  }

  /** Starts a created container; rejects with the runtime's own words. */
  async start(id: string): Promise<void> {
    await this.#verb("start", id);
  }

  /** Kills and forgets a container; one that isn't known is fine. */
  async delete(id: string): Promise<void> {
    await this.#verb("delete", "--force", id).catch((error: Error) => {
      if (!/does not exist|No such file|not found/i.test(error.message)) throw error;
    });
  }

  async #verb(...args: string[]): Promise<void> {
    const { command, args: line } = this.commandLine(...args);
    const result = await run(command, line, { timeoutMs: 30_000 });
    if (result.code !== 0) throw new Error(cleanMessage(result.stderr) || `exit ${result.code}`);
  }
}

/** The runtime's complaint in one line, without its colours and time stamps. */
export function cleanMessage(stderr: string): string {
  return (
    stderr
      // oxlint-disable-next-line no-control-regex -- terminal colours
      .replace(/\u001b\[[0-9;]*m/g, "")
      .split("\n")
      .map((line) => line.replace(/^\d{4}-\d\d-\d\dT\S+Z?:\s*/, "").trim())
      .filter((line) => line !== "" && !line.startsWith("umount:"))
      .join("; ")
      .slice(0, 1000)
  );
}
