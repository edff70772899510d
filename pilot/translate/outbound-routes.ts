/**
 * Route configurations of sidecars: one a port, and one for each sniffed service with an address.
 */

import { PASSTHROUGH } from "#pilot/ir/name.ts";
import type { RouteConfiguration, VirtualHost } from "#pilot/ir/route.ts";
import type { IrProblem } from "#pilot/ir/scope-ir.ts";
import { cached } from "#pilot/model/cached.ts";
import type { MeshConfig, OutboundPolicy } from "#pilot/model/mesh-config.ts";
import { compareText } from "#pilot/model/object.ts";
import type { PushContext } from "#pilot/model/push-context.ts";
import type { OutboundScope } from "#pilot/model/scope.ts";
import { sidecarOf } from "#pilot/model/visible.ts";
import { originOf, type Translated } from "./result.ts";
import { outboundListenerPlan } from "./outbound-plan.ts";
import { serviceVirtualHost, virtualHostsOfPort } from "./virtual-hosts.ts";

/** All route configurations that the scope's outbound listeners ask for. */
export function translateOutboundRoutes(
  context: PushContext,
  scope: OutboundScope,
): Translated<readonly RouteConfiguration[]> {
  const plan = outboundListenerPlan(context, scope);
  const problems: IrProblem[] = [];
  const configurations: RouteConfiguration[] = [];
  const rest = unmatched(context.mesh, outboundPolicy(context, scope));
  for (const port of plan.httpPorts) {
    const made = virtualHostsOfPort(context, scope, port);
    problems.push(...made.problems);
    configurations.push({
      name: String(port),
      virtualHosts: [...made.value, rest],
      ignorePort: true,
      origins: [],
    });
  }
  for (const { service, port } of plan.sniffed) {
    const made = serviceVirtualHost(context, scope, service, port);
    problems.push(...made.problems);
    configurations.push({
      name: `${service.host}:${port}`,
      virtualHosts: [takingAll(made.value)],
      ignorePort: true,
      origins: [originOf(service.source)],
    });
  }
  configurations.sort((left, right) => compareText(left.name, right.name));
  return { value: configurations, problems };
}

/** What happens to destinations that nobody declared: the Sidecar's word, else the mesh's. */
export function outboundPolicy(context: PushContext, scope: OutboundScope): OutboundPolicy {
  const own = sidecarOf(context, scope)?.spec.outboundTrafficPolicy?.mode;
  return own ?? context.mesh.outboundTrafficPolicy;
}

const takingAll = cached((host: VirtualHost): VirtualHost => ({ ...host, domains: ["*"] }), 1);

const unmatched = cached((_mesh: MeshConfig, policy: OutboundPolicy): VirtualHost => {
  const name = policy === "ALLOW_ANY" ? "allow_any" : "block_all";
  return {
    name,
    domains: ["*"],
    routes: [
      {
        name,
        match: { path: { kind: "prefix", value: "/" }, headers: [], query: [] },
        action:
          policy === "ALLOW_ANY"
            ? {
                kind: "forward",
                clusters: [{ cluster: PASSTHROUGH, weight: 1, origins: [] }],
                timeoutMs: 0,
                mirrors: [],
                hash: [],
              }
            : { kind: "respond", status: 502 },
        origins: [],
      },
    ],
    requireTls: false,
    origins: [],
  };
});
