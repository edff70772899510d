/** envoy.extensions.upstreams.http.v3.HttpProtocolOptions. */

import type { Cluster, ClusterHttp } from "#pilot/ir/cluster.ts";
import { any, duration, set } from "./any.ts";

const HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

/**
 * Without a server name of its own, TLS asks for the request's host and expects its certificate.
 */
export function protocolOptions({ http, tls, outlierDetection }: Cluster): object {
  const upstream = set({
    autoSni: tls?.autoServerName === true ? true : undefined,
    autoSanValidation: tls?.autoSubjectAltName === true ? true : undefined,
  });
  const auto = Object.keys(upstream).length > 0;
  const codes = outlierDetection?.httpErrorCodes;
  if (http === undefined && !auto && codes === undefined) return {};
  return {
    typedExtensionProtocolOptions: {
      [HTTP_OPTIONS]: {
        ...httpOptions(http ?? { version: "http1" }),
        ...(auto ? { upstreamHttpProtocolOptions: upstream } : {}),
        ...(codes === undefined ? {} : { outlierDetection: { errorMatcher: anyStatus(codes) } }),
      },
    },
  };
}

/** A response with one of these statuses. */
function anyStatus(codes: readonly number[]): object {
  const rules = codes.map((code) => ({
    httpResponseHeadersMatch: {
      headers: [{ name: ":status", stringMatch: { exact: String(code) } }],
    },
  }));
  return rules.length === 1 ? { ...rules[0] } : { orMatch: { rules } };
}

function httpOptions(http: ClusterHttp): object {
  const { pings } = http;
  const http2 = set({
    maxConcurrentStreams: http.maxConcurrentStreams,
    connectionKeepalive:
      pings === undefined
        ? undefined
        : set({
            interval: pings.intervalMs === undefined ? undefined : duration(pings.intervalMs),
            timeout: duration(pings.timeoutMs),
          }),
  });
  const common = set({
    idleTimeout: http.idleTimeoutMs === undefined ? undefined : duration(http.idleTimeoutMs),
    maxRequestsPerConnection: http.maxRequestsPerConnection,
    maxConnectionDuration:
      http.maxConnectionDurationMs === undefined
        ? undefined
        : duration(http.maxConnectionDurationMs),
  });
  const version =
    http.version === "downstream"
      ? { useDownstreamProtocolConfig: { httpProtocolOptions: {}, http2ProtocolOptions: http2 } }
      : {
          explicitHttpConfig:
            http.version === "http2"
              ? { http2ProtocolOptions: http2 }
              : { httpProtocolOptions: {} },
        };
  return any(HTTP_OPTIONS, {
    ...(Object.keys(common).length === 0 ? {} : { commonHttpProtocolOptions: common }),
    ...version,
  });
}
