/** What a DestinationRule says about connections that are forwarded as such. */

import type { TcpForward } from "#pilot/ir/listener.ts";
import type { MeshConfig } from "#pilot/model/mesh-config.ts";
import type { ServicePort } from "#pilot/model/object.ts";
import { policyFor } from "./destination-rule.ts";
import { durationMs, numberField } from "./fields.ts";
import { hashPolicies } from "./hash-policy.ts";
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

function hostPort(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
