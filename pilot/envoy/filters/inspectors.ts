/** Listener filters, which look at a connection before a chain is chosen. */

import type { Listener } from "#pilot/ir/listener.ts";
import { type Extension, extension } from "#pilot/envoy/any.ts";

/** In the order in which they must run: where it goes, whether it is TLS, whether it is HTTP. */
export function listenerFilters(listener: Listener): object[] {
  const filters: object[] = [];
  if (listener.inspectors.includes("proxy-protocol")) filters.push(proxyProtocol());
  if (listener.inspectors.includes("original-destination")) filters.push(originalDestination());
  if (listener.inspectors.includes("tls")) {
    filters.push({
      ...tlsInspector(),
      ...disabledOn(listener.uninspectedPorts.filter((port) => port === listener.port)),
    });
  }
  if (listener.inspectors.includes("http")) {
    filters.push({ ...httpInspector(), ...disabledOn(listener.uninspectedPorts) });
  }
  return filters;
}

/**
 * On these ports a client may wait for the server's first word, so nobody may wait for the
 * client's.
 */
function disabledOn(ports: readonly number[]): object {
  const rules = ports.map((port) => ({ destinationPortRange: { start: port, end: port + 1 } }));
  if (rules.length === 0) return {};
  return { filterDisabled: rules.length === 1 ? rules[0] : { orMatch: { rules } } };
}

function originalDestination(): Extension {
  return extension(
    "envoy.filters.listener.original_dst",
    "envoy.extensions.filters.listener.original_dst.v3.OriginalDst",
  );
}

/** Required, as Istio has it: without it anyone could claim any address. */
function proxyProtocol(): Extension {
  return extension(
    "envoy.filters.listener.proxy_protocol",
    "envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol",
  );
}

function tlsInspector(): Extension {
  return extension(
    "envoy.filters.listener.tls_inspector",
    "envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector",
    { initialReadBufferSize: 512 },
  );
}

function httpInspector(): Extension {
  return extension(
    "envoy.filters.listener.http_inspector",
    "envoy.extensions.filters.listener.http_inspector.v3.HttpInspector",
  );
}
