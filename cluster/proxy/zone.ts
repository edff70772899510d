/**
 * Conntrack keeps a UDP flow with its endpoint as long as packets come, also when the endpoint is
 * gone. So a UDP frontend's packets are looked up in a conntrack zone, and when an endpoint goes
 * the frontend gets another zone: all its flows choose again. No conntrack tool is needed.
 */

import { createHash } from "node:crypto";
import { backendKey } from "./backend.ts";
import type { Frontend } from "./frontend.ts";

/** Zones are 16 bits; 0 is everyone else's. */
const ZONES = 65_535;

/** Undefined for other protocols. Without memory (a restart) the zone follows from the endpoints. */
export function zoneOf(
  frontend: Frontend,
  previous: { frontend: Frontend; zone: number | undefined } | undefined,
): number | undefined {
  if (frontend.protocol !== "udp") return undefined;
  const now = keysOf(frontend);
  if (previous?.zone !== undefined) {
    const lost = keysOf(previous.frontend).some((key) => !now.includes(key));
    if (!lost) return previous.zone;
  }
  const digest = createHash("sha256").update(now.toSorted().join(",")).digest();
  const zone = 1 + (digest.readUInt32BE(0) % ZONES);
  return zone === previous?.zone ? 1 + (zone % ZONES) : zone;
}

function keysOf(frontend: Frontend): string[] {
  const targets = [frontend.inside, ...(frontend.outside === undefined ? [] : [frontend.outside])];
  return targets.flatMap((target) => target.backends.map(backendKey));
}
