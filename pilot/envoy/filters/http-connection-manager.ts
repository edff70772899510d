/** envoy.filters.network.http_connection_manager with the HTTP filters of its role. */

import type { HttpConnection, HttpEdge, HttpRole, Listener } from "#pilot/ir/listener.ts";
import { type Extension, FROM_ADS, extension } from "#pilot/envoy/any.ts";
import { buildRouteConfiguration, buildVirtualHost } from "#pilot/envoy/route.ts";
import { hostResolution } from "./dynamic-forward-proxy.ts";
import { accessLoggers } from "./access-log.ts";
import { corsFilter } from "./cors.ts";
import { faultFilter } from "./fault.ts";
import { onDemandFilter } from "./on-demand.ts";
import { tracing } from "./tracing.ts";

const TYPE = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";

export function httpConnectionManager(
  connection: HttpConnection,
  listener: Pick<Listener, "accessLogs" | "tracing" | "pathNormalization">,
): Extension {
  return extension("envoy.filters.network.http_connection_manager", TYPE, {
    statPrefix: connection.statPrefix,
    ...routes(connection),
    httpFilters: [
      ...(connection.asksForClusters === undefined ? [] : [onDemandFilter()]),
      grpcStats(),
      faultFilter(),
      corsFilter(),
      ...(connection.dnsCache === undefined ? [] : [hostResolution(connection.dnsCache)]),
      router(),
    ],
    ...trust(connection.role, connection.edge),
    ...accessLoggers(listener.accessLogs),
    ...tracing(listener.tracing),
    streamIdleTimeout: "0s",
    proxy100Continue: true,
    upgradeConfigs: [{ upgradeType: "websocket" }],
    ...normalization(listener.pathNormalization),
  });
}

function routes({ routes: source }: HttpConnection): object {
  if (source.kind === "discovered") {
    return { rds: { configSource: FROM_ADS, routeConfigName: source.name } };
  }
  const { configuration } = source;
  const hosts = configuration.virtualHosts.map((host) => buildVirtualHost(host, "inbound"));
  return { routeConfig: buildRouteConfiguration(configuration, "inbound", hosts) };
}

/** What is believed of the peer, and told about it: a gateway's clients are strangers. */
function trust(role: HttpRole, edge: HttpEdge = {}): object {
  switch (role) {
    case "outbound":
      return { useRemoteAddress: false };
    case "inbound":
      return {
        serverName: "istio-envoy",
        useRemoteAddress: false,
        forwardClientCertDetails: "APPEND_FORWARD",
        setCurrentClientCertDetails: { subject: true, dns: true, uri: true },
      };
    case "gateway": {
      const forward = edge.clientCertificate ?? "SANITIZE_SET";
      const tells = forward === "APPEND_FORWARD" || forward === "SANITIZE_SET";
      const details = { subject: true, cert: true, dns: true, uri: true };
      return {
        serverName: "istio-envoy",
        useRemoteAddress: true,
        ...(edge.trustedProxies === undefined ? {} : { xffNumTrustedHops: edge.trustedProxies }),
        forwardClientCertDetails: forward,
        ...(tells ? { setCurrentClientCertDetails: details } : {}),
        ...(edge.http10 === true ? { httpProtocolOptions: { acceptHttp10: true } } : {}),
      };
    }
  }
}

function normalization(path: Listener["pathNormalization"]): object {
  return {
    normalizePath: path !== "NONE",
    ...(path?.endsWith("MERGE_SLASHES") === true ? { mergeSlashes: true } : {}),
    pathWithEscapedSlashesAction:
      path === "DECODE_AND_MERGE_SLASHES" ? "UNESCAPE_AND_FORWARD" : "KEEP_UNCHANGED",
  };
}

function grpcStats(): Extension {
  return extension(
    "envoy.filters.http.grpc_stats",
    "envoy.extensions.filters.http.grpc_stats.v3.FilterConfig",
    { emitFilterState: true, statsForAllMethods: false },
  );
}

function router(): Extension {
  return extension("envoy.filters.http.router", "envoy.extensions.filters.http.router.v3.Router");
}
