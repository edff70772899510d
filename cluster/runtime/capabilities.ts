/** Linux capabilities of a container: Docker's default set, plus and minus what the pod says. */

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

/** Sorted `CAP_…` names. A dropped ALL is applied before what is added, as in containerd. */
export function effectiveCapabilities(request: {
  privileged: boolean;
  add: readonly string[];
  drop: readonly string[];
}): CapabilityResult {
  if (request.privileged) return { ok: true, capabilities: ALL.map((name) => `CAP_${name}`) };
  const add = request.add.map(plainName);
  const drop = request.drop.map(plainName);
  const unknown = [...add, ...drop].find((name) => name !== "ALL" && !ALL.includes(name));
  if (unknown !== undefined) return { ok: false, message: `unknown capability "CAP_${unknown}"` };
  const kept = new Set(drop.includes("ALL") ? [] : DEFAULT);
  for (const name of add.includes("ALL") ? ALL : add) kept.add(name);
  for (const name of drop) if (!add.includes(name)) kept.delete(name);
  return { ok: true, capabilities: [...kept].map((name) => `CAP_${name}`).toSorted() };
}

function plainName(name: string): string {
  const upper = name.toUpperCase();
  return upper.startsWith("CAP_") ? upper.slice("CAP_".length) : upper;
}
