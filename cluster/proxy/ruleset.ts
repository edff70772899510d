/** A frontend as the nftables elements, chains and sets that make it work; pure. */

import { createHash } from "node:crypto";
import { backendKey } from "./backend.ts";
import type { Backend } from "./backend.ts";
import type { Frontend, Target } from "./frontend.ts";
import { KEEP_SOURCE_RULE, slotsChain } from "./table.ts";
import type { Container } from "./table.ts";

/** One element; `value` is absent in sets. */
export interface Element {
  container: Container;
  key: string;
  value?: string;
}

/** All that one frontend needs. Names and keys are unique to it, except the shared chains. */
export interface FrontendRules {
  service: string;
  elements: readonly Element[];
  /** Chain name → its rules; in an order in which each refers to earlier ones only. */
  chains: ReadonlyMap<string, readonly string[]>;
  /** Chains shared by all frontends with as many endpoints; made when first needed. */
  sharedChains: ReadonlyMap<string, readonly string[]>;
  /** Set name → its declaration. */
  sets: ReadonlyMap<string, string>;
  /** Addresses that need a hairpin element; several frontends may name the same. */
  hairpins: readonly string[];
}

/** Identity of a frontend, and its key in the maps. */
export function frontendKey(frontend: Pick<Frontend, "protocol" | "address" | "port">): string {
  return `${frontend.protocol} . ${frontend.address} . ${frontend.port}`;
}

/** Deterministic; `zone` is the conntrack zone of a UDP frontend (`zone.ts`). */
export function rulesOf(frontend: Frontend, zone: number | undefined): FrontendRules {
  const inside = targetRules(frontend, "inside", frontend.inside);
  const outside =
    frontend.outside === undefined ? undefined : targetRules(frontend, "outside", frontend.outside);
  const firewall = firewallRules(frontend);
  const parts = [inside, ...(outside === undefined ? [] : [outside]), firewall];
  const zoneElement: Element[] =
    zone === undefined
      ? []
      : [
          {
            container: "udp_zones",
            key: `${frontend.address} . ${frontend.port}`,
            value: String(zone),
          },
        ];
  return {
    service: frontend.service,
    elements: [...parts.flatMap((part) => part.elements), ...zoneElement],
    chains: new Map(parts.flatMap((part) => [...part.chains])),
    sharedChains: new Map(parts.flatMap((part) => [...part.sharedChains])),
    sets: new Map(parts.flatMap((part) => [...part.sets])),
    hairpins: frontend.inside.backends.filter((b) => b.mayBeLocal).map((b) => b.address),
  };
}

type Side = "inside" | "outside";
type Part = Omit<FrontendRules, "service" | "hairpins">;

const NOTHING: Part = {
  elements: [],
  chains: new Map(),
  sharedChains: new Map(),
  sets: new Map(),
};

function targetRules(frontend: Frontend, side: Side, target: Target): Part {
  const key = frontendKey(frontend);
  if (target.backends.length === 0) {
    const container = side === "inside" ? "no_endpoints" : "outside_no_endpoints";
    const elements: Element[] = [{ container, key, value: `goto ${target.whenEmpty}_chain` }];
    return { ...NOTHING, elements };
  }
  if (frontend.affinitySeconds !== undefined) {
    return affinityRules(frontend, side, { ...target, seconds: frontend.affinitySeconds });
  }
  const slots = target.backends.length;
  const chain = `${side === "inside" ? "slots" : "outside_slots"}_${slots}`;
  return {
    ...NOTHING,
    elements: [
      { container: servicesOf(side), key, value: `goto ${chain}` },
      ...target.backends.map((backend, slot): Element => ({
        container: side === "inside" ? "endpoints" : "outside_endpoints",
        key: `${key} . ${slot}`,
        value: `${backend.address} . ${backend.port}`,
      })),
    ],
    sharedChains: new Map([[chain, slotsChain(side, slots)]]),
  };
}

/** A chain of its own, and for each endpoint a chain and the set of clients that belong to it. */
function affinityRules(frontend: Frontend, side: Side, target: Target & { seconds: number }): Part {
  const key = frontendKey(frontend);
  // With the timeout in the name, a changed one makes new sets: sets in use can't be changed.
  const hash = shortHash(`${side} ${key} ${target.seconds}`);
  const named = target.backends.map((backend) => ({ backend, id: endpointId(hash, backend) }));
  const chains = new Map<string, string[]>();
  for (const { backend, id } of named) {
    chains.set(`sep_${id}`, [
      ...(target.keepSource ? [KEEP_SOURCE_RULE] : []),
      `update @clients_${id} { ip saddr }`,
      `meta l4proto ${frontend.protocol} dnat to ${backendKey(backend)}`,
    ]);
  }
  const choices = named.map(({ id }, slot) => `${slot} : goto sep_${id}`).join(", ");
  chains.set(`svc_${hash}`, [
    ...named.map(({ id }) => `ip saddr @clients_${id} goto sep_${id}`),
    `numgen random mod ${named.length} vmap { ${choices} }`,
  ]);
  const declaration = `type ipv4_addr ; flags dynamic,timeout ; timeout ${target.seconds}s ; size 65535 ;`;
  return {
    ...NOTHING,
    elements: [{ container: servicesOf(side), key, value: `goto svc_${hash}` }],
    chains,
    sets: new Map(named.map(({ id }) => [`clients_${id}`, declaration])),
  };
}

function firewallRules(frontend: Frontend): Part {
  if (frontend.sourceRanges === undefined) return NOTHING;
  const key = frontendKey(frontend);
  const chain = `firewall_${shortHash(key)}`;
  const rules = [...frontend.sourceRanges.map((range) => `ip saddr ${range} return`), "drop"];
  return {
    ...NOTHING,
    elements: [{ container: "firewall", key, value: `jump ${chain}` }],
    chains: new Map([[chain, rules]]),
  };
}

function servicesOf(side: Side): Container {
  return side === "inside" ? "services" : "outside_services";
}

function endpointId(serviceHash: string, backend: Backend): string {
  return shortHash(`${serviceHash} ${backendKey(backend)}`);
}

/** Twelve hexadecimal digits: chain names may hold letters, digits and `_` only. */
function shortHash(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 12);
}
