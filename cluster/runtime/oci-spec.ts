/** The OCI runtime specification of a container (config.json), as pure data. */

import { effectiveCapabilities } from "./capabilities.ts";
import { type ContainerConfig, ContainerError } from "./container.ts";
import type { ContainerUser } from "./image-user.ts";
import type { HostMount } from "./image.ts";
import type { OwnPrivileges } from "./own-privileges.ts";

export interface OciMount {
  destination: string;
  type: string;
  source: string;
  options: string[];
}

export interface OciProcess {
  terminal: boolean;
  consoleSize?: { height: number; width: number };
  user: { uid: number; gid: number; additionalGids: number[] };
  args: string[];
  env: string[];
  cwd: string;
  capabilities: Record<"bounding" | "effective" | "permitted" | "inheritable", string[]>;
  noNewPrivileges: boolean;
  oomScoreAdj?: number;
  rlimits?: { type: string; hard: number; soft: number }[];
}

export interface OciSpec {
  ociVersion: string;
  process: OciProcess;
  root: { path: string; readonly: boolean };
  hostname: string;
  mounts: OciMount[];
  linux: Record<string, unknown>;
}

export interface SpecInput {
  config: ContainerConfig;
  user: ContainerUser;
  rootPath: string;
  /** Folders of the host that the root doesn't show by itself; read-only. */
  rootMounts: readonly HostMount[];
  cgroupsPath: string;
  cgroupV2: boolean;
  own: OwnPrivileges;
}

const DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

const MASKED = [
  "/proc/acpi",
  "/proc/kcore",
  "/proc/keys",
  "/proc/latency_stats",
  "/proc/timer_list",
  "/proc/timer_stats",
  "/proc/sched_debug",
  "/proc/scsi",
  "/sys/devices/virtual/powercap",
  "/sys/firmware",
];

/** Version 1 has no namespace that would show a container its own group only. */
const MASKED_ON_V1 = ["/sys/fs/cgroup"];

const READ_ONLY = [
  "/proc/asound",
  "/proc/bus",
  "/proc/fs",
  "/proc/irq",
  "/proc/sys",
  "/proc/sysrq-trigger",
];

const PTS_OPTIONS = ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"];

/** Character devices that every container may use: null, zero, full, random, urandom, tty, pty. */
const DEVICES = ["1:3", "1:5", "1:7", "1:8", "1:9", "5:0", "5:2", "136:*"];

/** Builds the specification; CreateContainerError when what is asked for can't be. */
export function buildOciSpec(input: SpecInput): OciSpec {
  const { config } = input;
  const { security } = config;
  const masked = input.cgroupV2 ? MASKED : [...MASKED, ...MASKED_ON_V1];
  return {
    ociVersion: "1.0.2",
    process: buildProcess(input),
    root: { path: input.rootPath, readonly: security.readOnlyRoot },
    hostname: config.hostname,
    mounts: [
      ...systemMounts(input),
      ...input.rootMounts.map(({ source, target }) => bindMount(source, target, true)),
      ...[...config.mounts]
        .toSorted((a, b) => depth(a.target) - depth(b.target))
        .map(({ source, target, readOnly }) => bindMount(source, target, readOnly)),
    ],
    linux: {
      cgroupsPath: input.cgroupsPath,
      namespaces: namespaces(input),
      resources: resources(input),
      sysctl: config.sysctls,
      rootfsPropagation: "private",
      ...(security.privileged ? {} : { maskedPaths: masked, readonlyPaths: READ_ONLY }),
    },
  };
}

function depth(path: string): number {
  return path.split("/").length;
}

function buildProcess(input: SpecInput): OciProcess {
  const { config, user } = input;
  const { security, image } = config;
  if (security.runAsNonRoot && user.uid === 0) {
    throw new ContainerError(
      "CreateContainerConfigError",
      "container has runAsNonRoot and image will run as root",
    );
  }
  const granted = effectiveCapabilities({
    privileged: security.privileged,
    add: security.addCapabilities,
    drop: security.dropCapabilities,
    own: input.own.capabilities,
  });
  if (!granted.ok) throw new ContainerError("CreateContainerError", granted.message);
  const replaced = config.command.length > 0;
  const entrypoint = replaced ? config.command : image.config.entrypoint;
  const args = config.args.length > 0 || replaced ? config.args : image.config.cmd;
  if (entrypoint.length + args.length === 0) {
    throw new ContainerError("CreateContainerError", "no command specified");
  }
  // A process that isn't root starts without capabilities of its own, as under containerd.
  const own = user.uid === 0 ? granted.capabilities : [];
  const { resources } = config;
  return {
    terminal: config.tty,
    user: {
      uid: user.uid,
      gid: user.gid,
      additionalGids: [...new Set([...user.groups, ...security.supplementalGroups])],
    },
    args: [...entrypoint, ...args],
    env: environment(config, user),
    cwd: config.workingDir || image.config.workingDir || "/",
    capabilities: {
      bounding: granted.capabilities,
      effective: own,
      permitted: own,
      inheritable: [],
    },
    noNewPrivileges: security.noNewPrivileges,
    ...(resources.oomScoreAdj === undefined
      ? {}
      : { oomScoreAdj: Math.max(resources.oomScoreAdj, input.own.lowestOomScoreAdj) }),
  };
}

function environment(config: ContainerConfig, user: ContainerUser): string[] {
  const env = new Map<string, string>([
    ["PATH", DEFAULT_PATH],
    ["HOSTNAME", config.hostname],
    ["HOME", user.home],
    ...(config.tty ? ([["TERM", "xterm"]] as const) : []),
    ...Object.entries(config.image.config.env),
    ...config.env,
  ]);
  return [...env].map(([name, value]) => `${name}=${value}`);
}

function systemMounts({ config, cgroupV2 }: SpecInput): OciMount[] {
  const access = config.security.privileged ? "rw" : "ro";
  return [
    mount("/proc", "proc", "proc", ["nosuid", "noexec", "nodev"]),
    mount("/dev", "tmpfs", "tmpfs", ["nosuid", "strictatime", "mode=755", "size=65536k"]),
    mount("/dev/pts", "devpts", "devpts", PTS_OPTIONS),
    mount("/dev/shm", "tmpfs", "shm", ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]),
    mount("/dev/mqueue", "mqueue", "mqueue", ["nosuid", "noexec", "nodev"]),
    mount("/sys", "sysfs", "sysfs", ["nosuid", "noexec", "nodev", access]),
    // Here programs read how much memory and CPU time they have (Java, Go, Node).
    ...(cgroupV2
      ? [mount("/sys/fs/cgroup", "cgroup", "cgroup", ["nosuid", "noexec", "nodev", access])]
      : []),
  ];
}

function mount(destination: string, type: string, source: string, options: string[]): OciMount {
  return { destination, type, source, options };
}

function bindMount(source: string, target: string, readOnly: boolean): OciMount {
  const options = ["rbind", "rprivate", readOnly ? "ro" : "rw"];
  return { destination: target, type: "bind", source, options };
}

function namespaces({ config, cgroupV2 }: SpecInput): { type: string; path?: string }[] {
  return [
    { type: "mount" },
    { type: "uts" },
    ...(cgroupV2 && !config.security.privileged ? [{ type: "cgroup" }] : []),
    ...(config.hostIpc ? [] : [{ type: "ipc" }]),
    ...(config.hostPid ? [] : [{ type: "pid" }]),
    ...(config.netnsPath === undefined ? [] : [{ type: "network", path: config.netnsPath }]),
  ];
}

function resources({ config, cgroupV2 }: SpecInput): Record<string, unknown> {
  const { cpuShares, cpuQuotaUs, memoryLimitBytes, pidsLimit } = config.resources;
  const cpu: Record<string, number> = {};
  if (cpuShares !== undefined) cpu.shares = cpuShares;
  if (cpuQuotaUs !== undefined) Object.assign(cpu, { quota: cpuQuotaUs, period: 100_000 });
  return {
    devices: config.security.privileged
      ? [{ allow: true, access: "rwm" }]
      : [
          { allow: false, access: "rwm" },
          ...DEVICES.map((device) => {
            const [major, minor] = device.split(":");
            return {
              allow: true,
              type: "c",
              major: Number(major),
              ...(minor === "*" ? {} : { minor: Number(minor) }),
              access: "rwm",
            };
          }),
        ],
    ...(Object.keys(cpu).length === 0 ? {} : { cpu }),
    ...(memoryLimitBytes === undefined
      ? {}
      : {
          // Memory and swap together: what is over the limit is not moved to the swap instead.
          memory: { limit: memoryLimitBytes, swap: memoryLimitBytes },
        }),
    // A container is killed as a whole: half of its processes would be of no use.
    ...(cgroupV2 ? { unified: { "memory.oom.group": "1" } } : {}),
    ...(pidsLimit === undefined ? {} : { pids: { limit: pidsLimit } }),
  };
}
