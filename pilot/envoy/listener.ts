/** envoy.config.listener.v3.Listener. */

import type { ChainMatch, FilterChain, Listener, TcpForward } from "#pilot/ir/listener.ts";
import { type Extension, duration, nonEmpty, socketAddress } from "./any.ts";
import { unmatchedLoggers } from "./filters/access-log.ts";
import { serverNameResolution } from "./filters/dynamic-forward-proxy.ts";
import { httpConnectionManager } from "./filters/http-connection-manager.ts";
import { listenerFilters } from "./filters/inspectors.ts";
import { tcpProxy } from "./filters/tcp-proxy.ts";
import { configPath, istioMetadata } from "./metadata.ts";
import { serverSocket } from "./tls.ts";

const HANDSHAKE_MS = 15_000;

export function buildListener(listener: Listener): object {
  const waits = listener.inspectionTimeoutMs !== undefined && listener.inspectors.length > 0;
  return {
    name: listener.name,
    address: socketAddress(listener.address, listener.port),
    ...nonEmpty({
      additionalAddresses: listener.additionalAddresses.map((address) => ({
        address: socketAddress(address, listener.port),
      })),
      filterChains: listener.filterChains.map((chain) => filterChain(chain, listener)),
    }),
    ...(listener.defaultFilterChain === undefined
      ? {}
      : { defaultFilterChain: filterChain(listener.defaultFilterChain, listener) }),
    ...(listener.useOriginalDestination ? { useOriginalDst: true } : {}),
    ...nonEmpty({ listenerFilters: listenerFilters(listener) }),
    ...(waits
      ? {
          listenerFiltersTimeout: duration(listener.inspectionTimeoutMs ?? 0),
          continueOnListenerFiltersTimeout: true,
        }
      : {}),
    trafficDirection: listener.direction === "outbound" ? "OUTBOUND" : "INBOUND",
    ...(listener.bindToPort ? { maxConnectionsToAcceptPerSocketEvent: 1 } : { bindToPort: false }),
    ...(listener.ignoresUnmatched === true ? {} : unmatchedLoggers(listener.accessLogs)),
  };
}

function filterChain(chain: FilterChain, listener: Listener): object {
  const match = chainMatch(chain.match);
  return {
    ...(chain.name === undefined ? {} : { name: chain.name }),
    ...(Object.keys(match).length === 0 ? {} : { filterChainMatch: match }),
    filters:
      chain.connection.kind === "http"
        ? [httpConnectionManager(chain.connection, listener)]
        : [...byServerName(chain.connection), tcpProxy(chain.connection, listener.accessLogs)],
    ...(chain.tls === undefined ? {} : { transportSocket: serverSocket(chain.tls) }),
    transportSocketConnectTimeout: duration(HANDSHAKE_MS),
    ...istioMetadata({ config: configPath(chain.origins) }),
  };
}

function byServerName({ byServerName: asked }: TcpForward): Extension[] {
  return asked === undefined ? [] : [serverNameResolution(asked.dnsCache, asked.port)];
}

function chainMatch(match: ChainMatch): object {
  return {
    ...(match.destinationPort === undefined ? {} : { destinationPort: match.destinationPort }),
    ...nonEmpty({
      prefixRanges: (match.destinations ?? []).map(cidrRange),
      serverNames: match.serverNames ?? [],
      applicationProtocols: match.applicationProtocols ?? [],
    }),
    ...(match.transport === undefined
      ? {}
      : { transportProtocol: match.transport === "tls" ? "tls" : "raw_buffer" }),
  };
}

/** `10.0.0.0/8`, or a single address. */
function cidrRange(text: string): object {
  const [address = "", length] = text.split("/");
  const whole = address.includes(":") ? 128 : 32;
  return { addressPrefix: address, prefixLen: length === undefined ? whole : Number(length) };
}
