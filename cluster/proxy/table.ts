/**
 * The nftables table that every node has: base chains, maps and what they mean. Services are
 * elements of the maps (`ruleset.ts`), so a packet costs the same with ten or ten thousand.
 */

/** Name of the table, family ip, in the node's namespace. */
export const TABLE = "lateen_proxy";

/** The node's link to the fabric: what comes in there is from the host or another node. */
const UPLINK = "eth0";
/** Connection mark of connections whose client address must stay. */
const KEEP_SOURCE = "0x4c";

/** Containers whose elements belong to Services. */
export type Container =
  | "services"
  | "endpoints"
  | "outside_services"
  | "outside_endpoints"
  | "no_endpoints"
  | "outside_no_endpoints"
  | "firewall"
  | "udp_zones"
  | "hairpin";

const FRONTEND = "inet_proto . ipv4_addr . inet_service";
const FRONTEND_KEY = "meta l4proto . ip daddr . th dport";

/** In the order in which they must be made. */
const CONTAINERS: Record<Container, { kind: "map" | "set"; type: string; why: string }> = {
  services: { kind: "map", type: `type ${FRONTEND} : verdict`, why: "frontend to its chain" },
  endpoints: {
    kind: "map",
    type: `type ${FRONTEND} . mark : ipv4_addr . inet_service`,
    why: "frontend and slot to an endpoint",
  },
  outside_services: {
    kind: "map",
    type: `type ${FRONTEND} : verdict`,
    why: "frontends that treat clients outside of the node differently",
  },
  outside_endpoints: {
    kind: "map",
    type: `type ${FRONTEND} . mark : ipv4_addr . inet_service`,
    why: "their endpoints",
  },
  no_endpoints: {
    kind: "map",
    type: `type ${FRONTEND} : verdict`,
    why: "frontends without endpoints: reject or drop",
  },
  outside_no_endpoints: {
    kind: "map",
    type: `type ${FRONTEND} : verdict`,
    why: "the same for clients outside of the node",
  },
  firewall: {
    kind: "map",
    type: `type ${FRONTEND} : verdict`,
    why: "frontends with loadBalancerSourceRanges",
  },
  udp_zones: {
    kind: "map",
    type: "typeof ip daddr . udp dport : ct zone",
    why: "conntrack zone of a UDP frontend: a new one makes its flows choose an endpoint anew",
  },
  hairpin: {
    kind: "set",
    type: "type ipv4_addr . ipv4_addr",
    why: "pods that may reach themselves through a Service",
  },
};

interface Chain {
  name: string;
  /** Of a base chain. */
  hook?: string;
  rules: readonly string[];
}

/** Base chains and shared chains: the way of a packet, from top to bottom. */
const CHAINS: readonly Chain[] = [
  {
    // Before conntrack looks the packet up.
    name: "raw_prerouting",
    hook: "type filter hook prerouting priority -300",
    rules: ["meta l4proto udp ct original zone set ip daddr . udp dport map @udp_zones"],
  },
  {
    name: "raw_output",
    hook: "type filter hook output priority -300",
    rules: ["meta l4proto udp ct original zone set ip daddr . udp dport map @udp_zones"],
  },
  // TCP gets a reset, since clients retry after a plain ICMP answer for a second.
  { name: "reject_chain", rules: ["meta l4proto tcp reject with tcp reset", "reject"] },
  { name: "drop_chain", rules: ["drop"] },
  {
    // nat chains can't reject, so this is decided just before them; established flows pass.
    name: "filter_prerouting",
    hook: "type filter hook prerouting priority -110",
    rules: [
      "ct state != new accept",
      `${FRONTEND_KEY} vmap @firewall`,
      `iifname "${UPLINK}" ${FRONTEND_KEY} vmap @outside_no_endpoints`,
      `${FRONTEND_KEY} vmap @no_endpoints`,
    ],
  },
  {
    name: "filter_output",
    hook: "type filter hook output priority -110",
    rules: ["ct state != new accept", `${FRONTEND_KEY} vmap @no_endpoints`],
  },
  {
    name: "nat_prerouting",
    hook: "type nat hook prerouting priority -100",
    rules: [
      `iifname "${UPLINK}" ${FRONTEND_KEY} vmap @outside_services`,
      `${FRONTEND_KEY} vmap @services`,
    ],
  },
  {
    name: "nat_output",
    hook: "type nat hook output priority -100",
    rules: [`${FRONTEND_KEY} vmap @services`],
  },
  {
    name: "nat_postrouting",
    hook: "type nat hook postrouting priority 100",
    rules: [
      // A pod that answers itself would do so without passing the node.
      "ip saddr . ip daddr @hairpin masquerade",
      `ct mark ${KEEP_SOURCE} accept`,
      // An endpoint on another node would answer the client directly, past this node's conntrack.
      `iifname "${UPLINK}" ct status dnat masquerade`,
    ],
  },
];

/**
 * What is still on its way to a Service's address after translation asked for a port that the
 * Service hasn't: refused at once. Without this it would go round between node and host until it
 * dies. Addresses on the node itself (cluster DNS) are not forwarded, and leave by `lo`.
 */
function unknownPorts(virtualRanges: readonly string[]): Chain[] {
  const toVirtual = `ip daddr { ${virtualRanges.join(", ")} }`;
  return [
    {
      name: "filter_forward",
      hook: "type filter hook forward priority 0",
      rules: [`${toVirtual} jump reject_chain`],
    },
    {
      name: "filter_output_translated",
      hook: "type filter hook output priority 0",
      rules: [`oifname != "lo" ${toVirtual} jump reject_chain`],
    },
  ];
}

/**
 * Statements that replace the whole table by an empty one, to be followed by the elements.
 * `virtualRanges` are the CIDRs of addresses that exist only as frontends.
 */
export function emptyTable(virtualRanges: readonly string[]): string[] {
  const chainsInOrder = [...CHAINS, ...unknownPorts(virtualRanges)];
  const containers = Object.entries(CONTAINERS).map(
    ([name, { kind, type }]) => `add ${kind} ip ${TABLE} ${name} { ${type} ; }`,
  );
  const chains = chainsInOrder.map(({ name, hook }) =>
    hook === undefined
      ? `add chain ip ${TABLE} ${name}`
      : `add chain ip ${TABLE} ${name} { ${hook} ; policy accept ; }`,
  );
  const rules = chainsInOrder.flatMap(({ name, rules: lines }) =>
    lines.map((line) => `add rule ip ${TABLE} ${name} ${line}`),
  );
  return [
    `add table ip ${TABLE}`,
    `delete table ip ${TABLE}`,
    `add table ip ${TABLE}`,
    ...containers,
    ...chains,
    ...rules,
  ];
}

/** Rules of the chain that spreads a frontend's connections over `slots` endpoints at random. */
export function slotsChain(side: "inside" | "outside", slots: number): string[] {
  const map = side === "inside" ? "@endpoints" : "@outside_endpoints";
  return [
    ...(side === "outside" ? [`ct mark set ${KEEP_SOURCE}`] : []),
    `meta mark set numgen random mod ${slots}`,
    // The port of a translation needs a transport protocol that nft knows beforehand.
    ...["tcp", "udp", "sctp"].map(
      (protocol) => `meta l4proto ${protocol} dnat ip to ${FRONTEND_KEY} . meta mark map ${map}`,
    ),
  ];
}

/** The statement by which a chain keeps the client's address (`Target.keepSource`). */
export const KEEP_SOURCE_RULE = `ct mark set ${KEEP_SOURCE}`;
