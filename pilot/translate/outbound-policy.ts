/** What proxies of a scope may call besides declared services, and what their Sidecar can't say. */

import { type ClusterName, outboundCluster } from "#pilot/ir/name.ts";
import type { IrProblem } from "#pilot/ir/scope-ir.ts";
import { cached } from "#pilot/model/cached.ts";
import { egressListeners, importsService } from "#pilot/model/egress.ts";
import type { OutboundPolicy } from "#pilot/model/mesh-config.ts";
import { resolveHost } from "#pilot/model/name.ts";
import type { Sidecar } from "#pilot/model/object.ts";
import { listenerKind, parseProtocol } from "#pilot/model/protocol.ts";
import type { PushContext } from "#pilot/model/push-context.ts";
import type { OutboundScope } from "#pilot/model/scope.ts";
import { sidecarOf, visibleServices } from "#pilot/model/visible.ts";
import { reporter, warn } from "./result.ts";

/** What happens to destinations that nobody declared: the Sidecar's word, else the mesh's. */
export function outboundPolicy(context: PushContext, scope: OutboundScope): OutboundPolicy {
  const own = sidecarOf(context, scope)?.spec.outboundTrafficPolicy;
  // An empty policy is the enum's zero, as Istio reads it.
  return own === undefined ? context.mesh.outboundTrafficPolicy : (own.mode ?? "REGISTRY_ONLY");
}

/** Where the Sidecar sends what nobody declared, instead of to where it was going. */
export function egressProxy(context: PushContext, scope: OutboundScope): ClusterName | undefined {
  const sidecar = sidecarOf(context, scope);
  const { mode, egressProxy: proxy } = sidecar?.spec.outboundTrafficPolicy ?? {};
  if (sidecar === undefined || proxy === undefined || mode !== "ALLOW_ANY") return undefined;
  const host = resolveHost(proxy.host, sidecar.namespace, context.mesh.clusterDomain);
  return outboundCluster(host, proxy.port?.number ?? 0, proxy.subset);
}

/** What the outbound part of a scope's Sidecar asks for in vain. */
export function egressProblems(context: PushContext, scope: OutboundScope): IrProblem[] {
  const sidecar = sidecarOf(context, scope);
  if (sidecar === undefined) return NO_PROBLEMS;
  const problems = [...portProblems(context, scope, sidecar), ...fixedProblems(sidecar)];
  const proxy = sidecar.spec.outboundTrafficPolicy?.egressProxy;
  if (proxy === undefined) return problems;
  const report = reporter(sidecar.key);
  const path = "spec.outboundTrafficPolicy.egressProxy";
  const host = resolveHost(proxy.host, sidecar.namespace, context.mesh.clusterDomain);
  const service = visibleServices(context, scope).byHost.get(host);
  if (outboundPolicy(context, scope) !== "ALLOW_ANY") {
    warn(report, path, "NoEffect", "counts with mode ALLOW_ANY only: unknown hosts are refused");
  } else if (service === undefined) {
    const message = `no service ${host} is visible here: unknown hosts can't be called`;
    warn(report, `${path}.host`, "UnknownHost", message);
  } else if (!service.ports.some((port) => port.number === proxy.port?.number)) {
    const message = `${host} has no port ${proxy.port?.number ?? ""}: unknown hosts can't be called`;
    warn(report, `${path}.port`, "UnknownPort", message);
  }
  return [...problems, ...report.problems];
}

const NO_PROBLEMS: IrProblem[] = [];

/** What depends on nothing but the Sidecar. */
const fixedProblems = cached((sidecar: Sidecar): readonly IrProblem[] => {
  const report = reporter(sidecar.key);
  for (const [side, listeners] of [
    ["egress", sidecar.spec.egress ?? []],
    ["ingress", sidecar.spec.ingress ?? []],
  ] as const) {
    for (const [at, { port }] of listeners.entries()) {
      if (port?.targetPort === undefined) continue;
      const message = "is ignored, as Istio does: an ingress says it by defaultEndpoint";
      warn(report, `spec.${side}[${at}].port.targetPort`, "NoEffect", message);
    }
  }
  return report.problems;
});

/** An egress listener's port narrows which ports of its hosts are seen; it makes no new ones. */
function portProblems(context: PushContext, scope: OutboundScope, sidecar: Sidecar): IrProblem[] {
  const report = reporter(sidecar.key);
  for (const { index, port, hosts } of egressListeners(sidecar, scope.namespace)) {
    if (port === undefined) continue;
    const path = `spec.egress[${index}].port`;
    const services = visibleServices(context, scope).list.filter((one) =>
      importsService(hosts, one),
    );
    const found = services.flatMap((one) =>
      one.ports.filter(({ number }) => number === port.number),
    );
    if (found.length === 0) {
      const message = `none of its hosts has a port ${port.number}: nothing is reached there`;
      warn(report, `${path}.number`, "UnknownPort", message);
    }
    const kind = listenerKind(parseProtocol(port.protocol));
    const other = found.find((one) => listenerKind(one.protocol) !== kind);
    if (other !== undefined && port.protocol !== "") {
      const message = `is ${other.protocol} for the services there, and that counts`;
      warn(report, `${path}.protocol`, "NoEffect", message);
    }
  }
  return report.problems;
}
