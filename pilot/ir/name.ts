/** Names that proxies, dashboards and istioctl know; each is made here only. */

export type ClusterName = string & { readonly brand: "ClusterName" };

export const BLACK_HOLE = "BlackHoleCluster" as ClusterName;
export const PASSTHROUGH = "PassthroughCluster" as ClusterName;
/** Any name, resolved when it is asked for. */
export const ALLOW_ANY_DNS = "AllowAnyDynamicDNSCluster" as ClusterName;
export const INBOUND_PASSTHROUGH = "InboundPassthroughCluster" as ClusterName;

export function outboundCluster(host: string, port: number, subset = ""): ClusterName {
  return `outbound|${port}|${subset}|${host}` as ClusterName;
}

export function inboundCluster(port: number): ClusterName {
  return `inbound|${port}||` as ClusterName;
}

/** The server name of mutual TLS to a cluster: `outbound_.9080_.v1_.host`. */
export function tlsServerName(host: string, port: number, subset = ""): string {
  return `outbound_.${port}_.${subset}_.${host}`;
}

/** The cluster that a gateway between networks forwards such a server name to. */
export function sniCluster(host: string, port: number, subset = ""): ClusterName {
  return tlsServerName(host, port, subset) as ClusterName;
}

/** Parts of an outbound cluster's name; undefined for any other. */
export function parseOutboundCluster(
  name: string,
): { port: number; subset: string; host: string } | undefined {
  const [direction, port, subset, host] = name.split("|");
  if (direction !== "outbound" || host === undefined || subset === undefined) return undefined;
  return { port: Number(port), subset, host };
}
