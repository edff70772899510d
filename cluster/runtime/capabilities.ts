/** Linux capabilities of a container: Docker's default set, plus and minus what the pod says. */

/** By their numbers in the kernel (capability.h). */
const ALL = (
  "CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE " +
  "NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO " +
  "SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME " +
  "SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG " +
  "WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE"
).split(" ");

const DEFAULT = (
  "CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP " +
  "NET_BIND_SERVICE SYS_CHROOT KILL AUDIT_WRITE"
).split(" ");

export type CapabilityResult =
  { ok: true; capabilities: string[] } | { ok: false; message: string };

/** Plain names of the bits in a mask, as `/proc/PID/status` shows it. */
export function capabilitiesOf(mask: bigint): ReadonlySet<string> {
  return new Set(ALL.filter((_, bit) => ((mask >> BigInt(bit)) & 1n) === 1n));
}

/**
 * Sorted `CAP_…` names. A dropped ALL is applied before what is added, as in containerd. Privileged
 * and ALL mean everything that `own`, the runtime's own capabilities, can give.
 */
export function effectiveCapabilities(request: {
  privileged: boolean;
  add: readonly string[];
  drop: readonly string[];
  own: ReadonlySet<string>;
}): CapabilityResult {
  const all = ALL.filter((name) => request.own.has(name));
  if (request.privileged) return { ok: true, capabilities: all.map((name) => `CAP_${name}`) };
  const add = request.add.map(plainName);
  const drop = request.drop.map(plainName);
  const unknown = [...add, ...drop].find((name) => name !== "ALL" && !ALL.includes(name));
  if (unknown !== undefined) return { ok: false, message: `unknown capability "CAP_${unknown}"` };
  const kept = new Set(drop.includes("ALL") ? [] : DEFAULT.filter((name) => request.own.has(name)));
  for (const name of add.includes("ALL") ? all : add) kept.add(name);
  for (const name of drop) if (!add.includes(name)) kept.delete(name);
  return { ok: true, capabilities: [...kept].map((name) => `CAP_${name}`).toSorted() };
}

function plainName(name: string): string {
  const upper = name.toUpperCase();
  return upper.startsWith("CAP_") ? upper.slice("CAP_".length) : upper;
}
