/** The Debian packages whose programs a cluster runs with. */

import { UsageError } from "#cli/state.ts";
import { findProgram, run } from "./tools.ts";

/** A program that must be there, and the Debian package that brings it. */
export interface Prerequisite {
  program: string;
  debianPackage: string;
  purpose: string;
}

export const PREREQUISITES: readonly Prerequisite[] = [
  { program: "ip", debianPackage: "iproute2", purpose: "network namespaces and links" },
  { program: "nft", debianPackage: "nftables", purpose: "service forwarding, sidecar redirect" },
  { program: "crun", debianPackage: "crun", purpose: "containers" },
  { program: "conmon", debianPackage: "conmon", purpose: "watching over containers" },
  { program: "nsenter", debianPackage: "util-linux", purpose: "processes in namespaces" },
];

/** What of the prerequisites isn't there. */
export async function missingPrerequisites(): Promise<Prerequisite[]> {
  const found = await Promise.all(PREREQUISITES.map(({ program }) => findProgram(program)));
  return PREREQUISITES.filter((_, index) => found[index] === undefined);
}

/** The command line that installs them on Debian. */
export function installCommand(missing: readonly Prerequisite[]): string {
  return `apt-get install -y ${missing.map(({ debianPackage }) => debianPackage).join(" ")}`;
}

/** Installs what is missing by apt when root; otherwise says what to install. */
export async function ensurePackages(
  progress: (line: string) => void,
  signal?: AbortSignal,
): Promise<void> {
  const missing = await missingPrerequisites();
  if (missing.length === 0) return;
  const packages = missing.map(({ debianPackage }) => debianPackage);
  const apt = await findProgram("apt-get");
  if (process.getuid?.() !== 0 || apt === undefined) {
    const programs = missing.map(({ program }) => program).join(", ");
    throw new UsageError(`missing: ${programs}. As root: ${installCommand(missing)}`);
  }
  progress(`installing ${packages.join(" ")} by apt`);
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  await run(apt, ["update"], { env, signal });
  // From here on it isn't interrupted: dpkg must not be left in the middle.
  const args = ["install", "-y", "--no-install-recommends", ...packages];
  const result = await run(apt, args, { env });
  if (result.code !== 0) {
    const reason = result.stderr.trim().split("\n").at(-1) ?? "";
    throw new UsageError(`apt-get could not install ${packages.join(" ")}: ${reason}`);
  }
}
