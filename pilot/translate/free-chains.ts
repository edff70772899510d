/** Chains of one listener, no two of which match the same connections: Envoy refuses that. */

import type { FilterChain } from "#pilot/ir/listener.ts";
import type { IrProblem } from "#pilot/ir/scope-ir.ts";

/**
 * The first chain that names a server name (at a destination, with a protocol) has it; later ones
 * lose it, and those that are left with none go.
 */
export function freeChains(chains: readonly FilterChain[], problems: IrProblem[]): FilterChain[] {
  const taken = new Map<string, FilterChain>();
  return chains.flatMap((chain) => {
    const written = [...new Set(chain.match.serverNames ?? [""])];
    const serverNames = written.filter((name) => isServerName(name));
    for (const name of written) {
      if (!isServerName(name)) problems.push(partial(chain, name));
    }
    const owners = new Map(
      serverNames.map((name) => [name, ownerOf(taken, keysOf(chain, name))] as const),
    );
    const free = serverNames.filter((name) => owners.get(name) === undefined);
    for (const [name, owner] of owners) {
      if (owner !== undefined) problems.push(conflict(chain, owner, name));
    }
    if (free.length === 0) return [];
    for (const name of free) for (const key of keysOf(chain, name)) taken.set(key, chain);
    if (free.length === (chain.match.serverNames ?? [""]).length) return [chain];
    return [{ ...chain, match: { ...chain.match, serverNames: free } }];
  });
}

/** Proxies know whole labels as wildcards only. */
function isServerName(name: string): boolean {
  return !name.includes("*") || (name.startsWith("*.") && !name.includes("*", 1));
}

function partial(chain: FilterChain, name: string): IrProblem {
  const { object = "", path = "" } = chain.origins[0] ?? {};
  const message = `${name} can't be matched as a server name: a wildcard is *. before a name`;
  return { object, path, severity: "error", reason: "InvalidServerName", message };
}

function ownerOf(
  taken: ReadonlyMap<string, FilterChain>,
  keys: readonly string[],
): FilterChain | undefined {
  return keys.map((key) => taken.get(key)).find((chain) => chain !== undefined);
}

/** One for every combination of what the match lists. */
function keysOf({ match }: FilterChain, serverName: string): string[] {
  const { destinations = [""], applicationProtocols = [""], destinationPort = 0 } = match;
  return destinations.flatMap((destination) =>
    applicationProtocols.map((protocol) =>
      [destinationPort, destination, serverName, match.transport ?? "", protocol].join("\n"),
    ),
  );
}

function conflict(chain: FilterChain, owner: FilterChain, name: string): IrProblem {
  const { object = "", path = "" } = chain.origins[0] ?? {};
  const what = name === "" ? "connections without a server name" : name;
  const message = `${what}: ${owner.origins[0]?.object ?? "another"} has it on this port already`;
  return { object, path, severity: "error", reason: "HostTaken", message };
}
