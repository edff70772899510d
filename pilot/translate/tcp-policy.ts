/** What a DestinationRule says about connections that are forwarded as such. */

import type { TcpForward } from "#pilot/ir/listener.ts";
import { parseOutboundCluster } from "#pilot/ir/name.ts";
import type { MeshConfig } from "#pilot/model/mesh-config.ts";
import { hostname } from "#pilot/model/name.ts";
import type { ServicePort } from "#pilot/model/object.ts";
import { policyFor } from "./destination-rule.ts";
import { durationMs, numberField } from "./fields.ts";
import { hashPolicies } from "./hash-policy.ts";
import type { Destinations } from "./http-action.ts";
import type { L4Route } from "./l4-route.ts";
import type { MergedRule } from "./merged-rule.ts";
import { type Reporter, reporter } from "./result.ts";

export type TcpPolicy = Pick<
  TcpForward,
  "idleTimeoutMs" | "maxConnectionDurationMs" | "hash" | "tunnel"
>;

/**
 * Of the rule of a connection's (first) destination; `subset` where that is the only one. A tunnel
 * isn't inherited by subsets (Istio, TunnelSettings).
 */
export function tcpPolicy(
  rule: MergedRule | undefined,
  port: Pick<ServicePort, "number">,
  mesh: MeshConfig,
  subset = "",
): TcpPolicy {
  const chosen = rule?.subsets.find((one) => one.subset.name === subset);
  const policy = policyFor(rule, port.number, mesh, chosen);
  const author = chosen?.rule ?? rule?.policy?.rule;
  if (author === undefined) return {};
  // The cluster's translation reports mistakes in these fields.
  const report: Reporter = reporter(author.key);
  const { tcp } = policy.connectionPool ?? {};
  const hash = hashPolicies(policy, report).find((one) => one.kind === "source-address");
  const tunnel = (chosen === undefined ? rule?.policy?.value : chosen.subset.trafficPolicy)?.tunnel;
  return {
    ...numberField("idleTimeoutMs", durationMs(tcp?.idleTimeout, report, "")),
    ...numberField("maxConnectionDurationMs", durationMs(tcp?.maxConnectionDuration, report, "")),
    ...(hash === undefined ? {} : { hash }),
    ...(tunnel === undefined
      ? {}
      : {
          tunnel: {
            target: hostPort(tunnel.targetHost, tunnel.targetPort),
            method: tunnel.protocol ?? "CONNECT",
          },
        }),
  };
}

/** As its first destination's rule says; that of a subset where there is no other destination. */
export function policyOfRoute(
  route: L4Route,
  destinations: Destinations,
  mesh: MeshConfig,
): TcpPolicy {
  const [first, ...more] = route.clusters;
  const parts = first === undefined ? undefined : parseOutboundCluster(first.cluster);
  if (parts === undefined) return {};
  const rule = destinations.get(hostname(parts.host))?.rule;
  const subset = more.length === 0 ? parts.subset : "";
  return tcpPolicy(rule, { number: parts.port }, mesh, subset);
}

function hostPort(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
