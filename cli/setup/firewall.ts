/** Firewalls of the host: pods and nodes are strangers to it, and talk to the control plane on it. */

import { namespaceCommand } from "#cluster/network/run-in-namespace.ts";
import { UsageError } from "#cli/state.ts";
import type { PreparedCluster } from "#cli/up/prepare.ts";
import { findProgram, run } from "./tools.ts";

/** How names of the host's links into clusters begin. */
const LINK_PREFIX = "lt-";
const CONNECT_MS = 4_000;

const CONNECT = `
const socket = require("node:net").connect(Number(process.argv[2]), process.argv[1]);
socket.setTimeout(${CONNECT_MS}, () => process.exit(1));
socket.on("error", () => process.exit(1));
socket.on("connect", () => process.exit(0));`;

/**
 * Connects to the API server on the host as a node does; rejects with UsageError when that fails:
 * it is up to the user what the host's firewall lets in.
 */
export async function requireOpenHost(
  cluster: Pick<PreparedCluster, "record" | "nodes" | "ports">,
  signal: AbortSignal,
): Promise<void> {
  const { hostAddress, hostLink } = cluster.record.network;
  const port = cluster.ports.apiServer;
  const [command, ...rest] = namespaceCommand(cluster.nodes[0]?.namespace, [
    process.execPath,
    "-e",
    CONNECT,
    hostAddress,
    String(port),
  ]);
  const { code } = await run(command, rest, { signal });
  if (code === 0) return;
  throw new UsageError(
    `nodes can't connect to ${hostAddress}:${port} on this host: its firewall must let in what comes ` +
      `by link ${hostLink} (ufw allow in on ${hostLink}; nftables: iifname "${hostLink}" accept)`,
  );
}

interface Ruleset {
  nftables?: readonly {
    chain?: { family: string; table: string; name: string; hook?: string; policy?: string };
    rule?: unknown;
  }[];
}

/** The chains that drop what comes in unless a rule takes it, while no rule names our links. */
export async function closedChains(): Promise<string[]> {
  const nft = await findProgram("nft");
  if (nft === undefined) return [];
  const { code, stdout } = await run(nft, ["-j", "list", "ruleset"]);
  return code === 0 ? closedChainsOf(JSON.parse(stdout) as Ruleset) : [];
}

/** Of nft's JSON. */
export function closedChainsOf({ nftables = [] }: Ruleset): string[] {
  const isLetIn = nftables.some(
    ({ rule }) => rule !== undefined && JSON.stringify(rule).includes(`"${LINK_PREFIX}`),
  );
  if (isLetIn) return [];
  return nftables.flatMap(({ chain }) =>
    chain?.hook === "input" && chain.policy === "drop"
      ? [`${chain.family} ${chain.table} ${chain.name}`]
      : [],
  );
}
