/** The localhost gateway's configuration as Envoy reads it from files; pure. */

import path from "node:path";
import { dump } from "js-yaml";
import type { LocalhostRoute } from "./plan.ts";

const TYPE = "type.googleapis.com";
/** The gateway's admin socket in its folder. */
export const ADMIN_SOCKET = "admin.sock";

/**
 * `bootstrap.yaml`: listeners and clusters come from `lds.yaml` and `cds.yaml` of the same folder,
 * read again whenever a file is renamed into it. The gateway must be started in that folder: its
 * admin socket has a relative path, since the kernel takes at most 107 bytes for a socket's.
 */
export function bootstrapFile(dir: string): string {
  const source = (file: string) => ({
    resource_api_version: "V3",
    path_config_source: { path: path.join(dir, file), watched_directory: { path: dir } },
  });
  return dump({
    node: { id: "localhost-gateway", cluster: "localhost-gateway" },
    dynamic_resources: { lds_config: source("lds.yaml"), cds_config: source("cds.yaml") },
    admin: { address: { pipe: { path: ADMIN_SOCKET, mode: 0o600 } } },
  });
}

/** `lds.yaml`: a TCP proxy a route. */
export function listenersFile(routes: readonly LocalhostRoute[]): string {
  return dump({
    resources: routes.map((route) => ({
      "@type": `${TYPE}/envoy.config.listener.v3.Listener`,
      name: `127.0.0.1:${route.localPort}`,
      address: { socket_address: { address: "127.0.0.1", port_value: route.localPort } },
      // With it another cluster's gateway could listen on the same port, and share its connections.
      enable_reuse_port: false,
      filter_chains: [
        {
          filters: [
            {
              name: "envoy.filters.network.tcp_proxy",
              typed_config: {
                "@type": `${TYPE}/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy`,
                stat_prefix: clusterName(route),
                cluster: clusterName(route),
              },
            },
          ],
        },
      ],
    })),
  });
}

/** `cds.yaml`: a cluster a route, with the LoadBalancer address as its endpoint. */
export function clustersFile(routes: readonly LocalhostRoute[]): string {
  return dump({
    resources: routes.map((route) => ({
      "@type": `${TYPE}/envoy.config.cluster.v3.Cluster`,
      name: clusterName(route),
      type: "STATIC",
      connect_timeout: "5s",
      load_assignment: {
        cluster_name: clusterName(route),
        endpoints: [
          {
            lb_endpoints: [
              {
                endpoint: {
                  address: { socket_address: { address: route.address, port_value: route.port } },
                },
              },
            ],
          },
        ],
      },
    })),
  });
}

function clusterName(route: LocalhostRoute): string {
  return `${route.service}:${route.portName}`;
}
