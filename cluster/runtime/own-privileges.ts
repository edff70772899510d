/** What this process may grant to containers: less than everything in many virtual machines. */

import { readFile } from "node:fs/promises";
import { capabilitiesOf } from "./capabilities.ts";

export interface OwnPrivileges {
  /** Plain names, as `NET_ADMIN`. */
  capabilities: ReadonlySet<string>;
  /**
   * Scores below can't be given. -1000 for real root; without SYS_RESOURCE our own, or else every
   * Guaranteed container would fail (containerd's `restrict_oom_score_adj`).
   */
  lowestOomScoreAdj: number;
}

const LOWEST = -1000;

export async function readOwnPrivileges(): Promise<OwnPrivileges> {
  const status = await readFile("/proc/self/status", "utf8");
  const mask = /^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? "0";
  const capabilities = capabilitiesOf(BigInt(`0x${mask}`));
  const lowestOomScoreAdj = capabilities.has("SYS_RESOURCE")
    ? LOWEST
    : Number(await readFile("/proc/self/oom_score_adj", "utf8"));
  return { capabilities, lowestOomScoreAdj };
}
