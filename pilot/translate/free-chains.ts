/** Chains of one listener, no two of which match the same connections: Envoy refuses that. */

import type { FilterChain } from "#pilot/ir/listener.ts";
import type { IrProblem } from "#pilot/ir/scope-ir.ts";

/** Who has each destination, server name and protocol (`keysOf`). */
export type Taken = Map<string, FilterChain>;

/** What to say of a name that another chain has; undefined where that is no harm. */
type TellTaken = (chain: FilterChain, owner: FilterChain, name: string) => IrProblem | undefined;

/**
 * The first chain that names a server name (at a destination, with a protocol) has it; later ones
 * lose it, and those that are left with none go.
 */
export function freeChains(chains: readonly FilterChain[], problems: IrProblem[]): FilterChain[] {
  const taken: Taken = new Map();
  return chains.flatMap((chain) => freeParts(taken, chain, problems, hostTaken));
}

/**
 * What a chain can have besides those before it, and from now on has: itself, or parts of it, since
 * it may have lost a name at some of its destinations alone.
 */
export function freeParts(
  taken: Taken,
  chain: FilterChain,
  problems: IrProblem[],
  tellTaken: TellTaken,
): FilterChain[] {
  const { destinations, serverNames } = chain.match;
  const all = [...new Set(destinations ?? [""])];
  const written = [...new Set(serverNames ?? [""])];
  const parts = new Map<string, { free: string[]; names: string[] }>();
  for (const name of written) {
    if (!isServerName(name)) {
      problems.push(partial(chain, name));
      continue;
    }
    const owners = all.map((one) => ownerOf(taken, keysOf(chain, one, name)));
    const owner = owners.find((one) => one !== undefined);
    const told = owner === undefined ? undefined : tellTaken(chain, owner, name);
    if (told !== undefined) problems.push(told);
    const free = all.filter((_, at) => owners[at] === undefined);
    if (free.length === 0) continue;
    const part = parts.get(free.join()) ?? { free, names: [] };
    parts.set(free.join(), part);
    part.names.push(name);
  }
  for (const { free, names } of parts.values()) {
    for (const one of free) {
      for (const name of names) for (const key of keysOf(chain, one, name)) taken.set(key, chain);
    }
  }
  return [...parts.values()].map(({ free, names }) => {
    const isWhole =
      free.length === (destinations ?? [""]).length &&
      names.length === (serverNames ?? [""]).length;
    if (isWhole) return chain;
    const match = {
      ...chain.match,
      ...(destinations === undefined ? {} : { destinations: free }),
      ...(serverNames === undefined ? {} : { serverNames: names }),
    };
    return { ...chain, match };
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

/** One for each protocol; an address alone is the range of it. */
function keysOf({ match }: FilterChain, destination: string, serverName: string): string[] {
  const { applicationProtocols = [""], destinationPort = 0, transport = "" } = match;
  const range = destination.replace(destination.includes(":") ? /\/128$/ : /\/32$/, "");
  return applicationProtocols.map((protocol) =>
    [destinationPort, range, serverName, transport, protocol].join("\n"),
  );
}

function hostTaken(chain: FilterChain, owner: FilterChain, name: string): IrProblem {
  const { object = "", path = "" } = chain.origins[0] ?? {};
  const what = name === "" ? "connections without a server name" : name;
  const message = `${what}: ${owner.origins[0]?.object ?? "another"} has it on this port already`;
  return { object, path, severity: "error", reason: "HostTaken", message };
}
