/** envoy.filters.network.http_connection_manager with the HTTP filters of its role. */

import type { AccessLog, HttpConnection, HttpRole } from "#pilot/ir/listener.ts";
import { type Extension, FROM_ADS, extension } from "#pilot/envoy/any.ts";
import { buildRouteConfiguration, buildVirtualHost } from "#pilot/envoy/route.ts";
import { hostResolution } from "./dynamic-forward-proxy.ts";
import { accessLogger } from "./access-log.ts";
import { corsFilter } from "./cors.ts";
import { faultFilter } from "./fault.ts";

const TYPE = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";

export function httpConnectionManager(
  connection: HttpConnection,
  log: AccessLog | undefined,
): Extension {
  return extension("envoy.filters.network.http_connection_manager", TYPE, {
    statPrefix: connection.statPrefix,
    ...routes(connection),
    httpFilters: [
      grpcStats(),
      faultFilter(),
      corsFilter(),
      ...(connection.dnsCache === undefined ? [] : [hostResolution(connection.dnsCache)]),
      router(),
    ],
    ...trust(connection.role),
    ...(log === undefined ? {} : { accessLog: [accessLogger(log)] }),
    streamIdleTimeout: "0s",
    proxy100Continue: true,
    upgradeConfigs: [{ upgradeType: "websocket" }],
    normalizePath: true,
    pathWithEscapedSlashesAction: "KEEP_UNCHANGED",
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
function trust(role: HttpRole): object {
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
    case "gateway":
      return {
        serverName: "istio-envoy",
        useRemoteAddress: true,
        forwardClientCertDetails: "SANITIZE_SET",
        setCurrentClientCertDetails: { subject: true, cert: true, dns: true, uri: true },
      };
  }
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
