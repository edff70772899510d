/** envoy.filters.network.tcp_proxy. */

import type { Listener, TcpForward } from "#pilot/ir/listener.ts";
import { type Extension, duration, extension } from "#pilot/envoy/any.ts";
import { accessLoggers } from "./access-log.ts";
import { onDemandCluster } from "./on-demand.ts";

export function tcpProxy(forward: TcpForward, logs: Listener["accessLogs"]): Extension {
  const only = forward.clusters.length === 1 ? forward.clusters[0] : undefined;
  return extension(
    "envoy.filters.network.tcp_proxy",
    "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
    {
      statPrefix: forward.statPrefix,
      ...(only === undefined
        ? {
            weightedClusters: {
              clusters: forward.clusters.map(({ cluster, weight }) => ({ name: cluster, weight })),
            },
          }
        : { cluster: only.cluster }),
      ...(forward.asksForClusters === undefined ? {} : onDemandCluster()),
      ...(forward.idleTimeoutMs === undefined
        ? {}
        : { idleTimeout: duration(forward.idleTimeoutMs) }),
      ...(forward.maxConnectionDurationMs === undefined
        ? {}
        : { maxDownstreamConnectionDuration: duration(forward.maxConnectionDurationMs) }),
      ...(forward.tunnel === undefined
        ? {}
        : {
            tunnelingConfig: {
              hostname: forward.tunnel.target,
              ...(forward.tunnel.method === "POST" ? { usePost: true } : {}),
            },
          }),
      ...(forward.hash?.kind === "source-address" ? { hashPolicy: [{ sourceIp: {} }] } : {}),
      ...accessLoggers(logs),
    },
  );
}
