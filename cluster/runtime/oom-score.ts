/** How far down this process may put the OOM score of another. */

import { readFile } from "node:fs/promises";

/** Bit number of CAP_SYS_RESOURCE (capability.h), which lowering the score takes. */
const SYS_RESOURCE = 24n;
const LOWEST = -1000;

/**
 * -1000 for real root. Where that capability is missing, as in some virtual machines and under
 * Docker, our own score: asking for less would make every Guaranteed container fail (containerd's
 * `restrict_oom_score_adj`).
 */
export async function lowestOomScoreAdj(): Promise<number> {
  const status = await readFile("/proc/self/status", "utf8");
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? "0";
  if (((BigInt(`0x${effective}`) >> SYS_RESOURCE) & 1n) === 1n) return LOWEST;
  return Number(await readFile("/proc/self/oom_score_adj", "utf8"));
}
