/** Follows the first packet of a connection through the rules that FakeNft holds. */

import type { FakeTables } from "./fake-nft.ts";

export interface Packet {
  protocol: "tcp" | "udp" | "sctp";
  source: string;
  destination: string;
  port: number;
  /** A pod of this node, this node itself, or what comes by the node's link. */
  from: "pod" | "node" | "outside";
}

export type Fate =
  /** `to` is `address:port`; `isMasqueraded`: the endpoint sees the node instead of the client. */
  | { kind: "forwarded"; to: string; isMasqueraded: boolean }
  | { kind: "rejected" }
  | { kind: "dropped" }
  /** No Service: the packet goes where its address says. */
  | { kind: "passed" };

/** `random` stands for nft's: given the number of choices, the one to take. */
export function tracePacket(
  tables: FakeTables,
  packet: Packet,
  random: (choices: number) => number = () => 0,
): Fate {
  const key = `${packet.protocol} . ${packet.destination} . ${packet.port}`;
  const find = (container: string, at = key) => tables.elements.get(container)?.get(at);
  const isOutside = packet.from === "outside";
  const firewall = packet.from === "node" ? undefined : find("firewall");
  if (firewall !== undefined && !isAllowed(chainOf(tables, firewall), packet.source)) {
    return { kind: "dropped" };
  }
  const empty = (isOutside ? find("outside_no_endpoints") : undefined) ?? find("no_endpoints");
  if (empty !== undefined) return { kind: empty === "goto drop_chain" ? "dropped" : "rejected" };
  const verdict = (isOutside ? find("outside_services") : undefined) ?? find("services");
  if (verdict === undefined) return { kind: "passed" };
  const rules = chainOf(tables, verdict);
  const choice = choose(tables, rules, { key, source: packet.source, random });
  if (choice === undefined) return { kind: "passed" };
  const { to, keepsSource } = choice;
  const isHairpin = find("hairpin", `${packet.source} . ${to.split(":")[0]}`) !== undefined;
  const hairpin = isHairpin && to.startsWith(`${packet.source}:`);
  return { kind: "forwarded", to, isMasqueraded: hairpin || (isOutside && !keepsSource) };
}

interface Choice {
  to: string;
  keepsSource: boolean;
}

function choose(
  tables: FakeTables,
  rules: readonly string[],
  at: { key: string; source: string; random: (choices: number) => number },
): Choice | undefined {
  const keepsSource = rules.some((rule) => rule.startsWith("ct mark set"));
  let mark = 0;
  for (const rule of rules) {
    const count = /numgen random mod ([0-9]+)/.exec(rule)?.[1];
    if (count !== undefined) mark = at.random(Number(count));
    const direct = /dnat to (\S+)$/.exec(rule)?.[1];
    if (direct !== undefined) return { to: direct, keepsSource };
    const map = /^meta l4proto (\S+) dnat ip to .* map @(\w+)$/.exec(rule);
    if (map !== null && at.key.startsWith(`${map[1]} `)) {
      const found = tables.elements.get(map[2] ?? "")?.get(`${at.key} . ${mark}`);
      return found === undefined ? undefined : { to: found.replace(" . ", ":"), keepsSource };
    }
    const sticky = /^ip saddr @(\w+) (goto \w+)$/.exec(rule);
    const isKnown = tables.elements.get(sticky?.[1] ?? "")?.has(at.source) ?? false;
    const slot = rule.includes(" vmap ") ? rule.match(/goto \w+/g)?.[mark] : undefined;
    const next = isKnown ? sticky?.[2] : slot;
    if (next !== undefined) return choose(tables, chainOf(tables, next), at);
    const update = /^update @(\w+) /.exec(rule)?.[1];
    if (update !== undefined) tables.elements.get(update)?.set(at.source, "");
  }
  return undefined;
}

function chainOf(tables: FakeTables, verdict: string): readonly string[] {
  return tables.chains.get(verdict.split(" ")[1] ?? "") ?? [];
}

/** Ranges of the tests end at an octet. */
function isAllowed(rules: readonly string[], source: string): boolean {
  return rules.some((rule) => {
    const [, range = "", length = ""] = /^ip saddr (.+)\/([0-9]+) return$/.exec(rule) ?? [];
    const octets = Number(length) / 8;
    const head = (address: string) => address.split(".").slice(0, octets).join(".");
    return range !== "" && head(range) === head(source);
  });
}
