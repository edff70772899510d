/**
 * Connections through a listener's filter chains, in the order in which Envoy narrows them down.
 */

import type { FilterChain, Listener } from "#pilot/ir/listener.ts";

export interface Connection {
  readonly address: string;
  readonly port: number;
  readonly tls: boolean;
  readonly serverName: string;
  readonly applicationProtocol: string;
}

/** The chain of a connection, the default one, or undefined: then it is closed. */
export function matchChain(listener: Listener, connection: Connection): FilterChain | undefined {
  const seesTls = listener.inspectors.includes("tls");
  const transport = seesTls && connection.tls ? "tls" : "plain";
  const steps: readonly ((chain: FilterChain) => number | undefined)[] = [
    ({ match }) => rank(match.destinationPort, (port) => Number(port === connection.port)),
    ({ match }) => rank(match.destinations, (all) => longest(all, connection.address)),
    ({ match }) =>
      rank(match.serverNames, (all) => nearest(all, seesTls ? connection.serverName : "")),
    ({ match }) => rank(match.transport, (wanted) => Number(wanted === transport)),
    ({ match }) =>
      rank(match.applicationProtocols, (all) =>
        Number(all.includes(connection.applicationProtocol)),
      ),
  ];
  let chains = [...listener.filterChains];
  for (const step of steps) chains = narrow(chains, step);
  return chains[0] ?? listener.defaultFilterChain;
}

/** Undefined: the chain says nothing about it; 0: it says no. */
function rank<T>(wanted: T | undefined, of: (wanted: T) => number): number | undefined {
  return wanted === undefined ? undefined : of(wanted);
}

/** The chains that say yes most exactly, else those that say nothing. */
function narrow(
  chains: FilterChain[],
  step: (chain: FilterChain) => number | undefined,
): FilterChain[] {
  const ranked = chains.map((chain) => ({ chain, rank: step(chain) }));
  const best = Math.max(0, ...ranked.map((one) => one.rank ?? 0));
  return ranked
    .filter((one) => (best > 0 ? one.rank === best : one.rank === undefined))
    .map((one) => one.chain);
}

function nearest(names: readonly string[], serverName: string): number {
  const wanted = serverName.toLowerCase();
  const ranks = names.map((name) => {
    if (name === wanted) return 1_000_000;
    return name.startsWith("*") && wanted.endsWith(name.slice(1)) ? name.length : 0;
  });
  return Math.max(0, ...ranks);
}

function longest(ranges: readonly string[], address: string): number {
  const bits = bitsOf(address);
  const ranks = ranges.map((range) => {
    const [base = "", length] = range.split("/");
    const other = bitsOf(base);
    const count = length === undefined ? other.length : Number(length);
    return other.length === bits.length && bits.startsWith(other.slice(0, count)) ? count + 1 : 0;
  });
  return Math.max(0, ...ranks);
}

/** IPv4 only: other addresses match no range here. */
function bitsOf(address: string): string {
  const parts = address.split(".");
  if (parts.length !== 4) return "";
  return parts.map((part) => Number(part).toString(2).padStart(8, "0")).join("");
}
