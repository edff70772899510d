/**
 * Outbound clusters: one for each port of each visible service, and for each subset of its rule.
 */

import type { Cluster, Discovery } from "#pilot/ir/cluster.ts";
import { type ClusterName, outboundCluster } from "#pilot/ir/name.ts";
import type { IrProblem } from "#pilot/ir/scope-ir.ts";
import type { ClientTls } from "#pilot/ir/tls.ts";
import { cached } from "#pilot/model/cached.ts";
import { matchesAll } from "#pilot/model/labels.ts";
import type { MeshConfig } from "#pilot/model/mesh-config.ts";
import type { Hostname, ObjectKey } from "#pilot/model/name.ts";
import type { DestinationRule, EndpointSet, Service, ServicePort } from "#pilot/model/object.ts";
import { isTls, listenerKind } from "#pilot/model/protocol.ts";
import type { ProxyType } from "#pilot/model/proxy.ts";
import type { PushContext } from "#pilot/model/push-context.ts";
import { type OutboundScope, meshOf } from "#pilot/model/scope.ts";
import { visibleServices } from "#pilot/model/visible.ts";
import { passthroughClusters } from "./auto-passthrough.ts";
import { anyName, blackHole, dnsOnRequest, passthrough } from "./catch-all-clusters.ts";
import { type TlsInput, transportSecurity } from "./client-tls.ts";
import { type PolicyField, policyFor, ruleFor, selectorOf, writtenAt } from "./destination-rule.ts";
import { buildAssignment, endpointSetsOf, placeFor, singleEndpoint } from "./endpoints.ts";
import { isEmptyDns, resolvable } from "./dns-endpoints.ts";
import { balancingOf, localitySetting } from "./locality-setting.ts";
import type { MergedRule, RuleSubset } from "./merged-rule.ts";
import { type Reporter, type Translated, error, guarded, originOf, reporter } from "./result.ts";
import { deferredClusters } from "./on-demand.ts";
import { outboundPolicy } from "./outbound-policy.ts";
import { statName } from "./stat-name.ts";
import { type PolicyPlace, applyPolicy } from "./traffic-policy.ts";

/** The clusters that every proxy has, whatever services there are. */
export function translateFixedClusters(
  context: PushContext,
  scope: OutboundScope,
): Translated<readonly Cluster[]> {
  const value = [blackHole(context.mesh)];
  if (scope.proxyType !== "sidecar") return { value, problems: [] };
  value.push(passthrough(context.mesh));
  if (outboundPolicy(context, scope) !== "ALLOW_ANY_DYNAMIC_DNS") return { value, problems: [] };
  const { value: any, problems } = anyName(context.mesh);
  return { value: [...value, any], problems };
}

/** The clusters of one host. */
export function translateClustersOf(
  context: PushContext,
  scope: OutboundScope,
  host: Hostname,
): Translated<readonly Cluster[]> {
  const { byHost } = visibleServices(context, scope);
  const service = byHost.get(host);
  if (service === undefined) return NOTHING;
  if (service.aliasOf !== undefined && byHost.has(service.aliasOf)) return NOTHING;
  const rule = ruleFor(context, scope, service);
  const inline = readsEndpoints(service) ? endpointSetsOf(context, scope, service) : NO_SETS;
  const from = hasInline(service) ? placeFor(service, rule, context.mesh, scope) : "";
  const made = clustersOfService(
    service,
    inline,
    rule,
    meshOf(context, scope),
    scope.proxyType,
    from,
  );
  if (scope.passesBetweenNetworks === undefined) {
    return deferredClusters(context, scope, { service, made });
  }
  return { ...made, value: [...made.value, ...passthroughClusters(service, made.value)] };
}

const NOTHING: Translated<readonly Cluster[]> = { value: [], problems: [] };

const NO_SETS: readonly EndpointSet[] = [];

/** Of a headless service, whether all of its endpoints take the mesh's TLS is part of it as well. */
function readsEndpoints(service: Service): boolean {
  return hasInline(service) || service.headless;
}

/** Whether the endpoints' names are part of the cluster. */
function hasInline({ resolution }: Service): boolean {
  return resolution === "dns" || resolution === "dns-first";
}

const clustersOfService = cached(
  (
    service: Service,
    inline: readonly EndpointSet[],
    rule: MergedRule | undefined,
    mesh: MeshConfig,
    proxyType: ProxyType,
    from: string,
  ): Translated<readonly Cluster[]> => {
    const owner = rule?.rules[0]?.key ?? service.source;
    return guarded(owner, [], () => {
      const problems: IrProblem[] = [...(rule?.problems ?? [])];
      const clusters: Cluster[] = [];
      for (const port of service.ports) {
        if (port.protocol === "UDP") continue;
        if (service.resolution === "dns-on-request" && !namesItsTarget(port)) {
          problems.push(...nameless(service, port));
          continue;
        }
        for (const subset of subsetsOf(service, rule)) {
          const input = { inline, rule, subset, mesh, proxyType, from };
          const made = buildCluster(service, port, input);
          if (isEmptyDns(made.value)) continue;
          clusters.push(made.value);
          problems.push(...made.problems);
        }
      }
      return { value: clusters, problems };
    });
  },
);

/** Requests name a host, TLS a server; other connections name nothing that could be resolved. */
function namesItsTarget({ protocol }: ServicePort): boolean {
  return listenerKind(protocol) === "http" || isTls(protocol);
}

function nameless(service: Service, port: ServicePort): readonly IrProblem[] {
  const report = reporter(service.source);
  const message = `DYNAMIC_DNS is for HTTP and TLS: connections to port ${port.number} are closed`;
  error(report, "spec.ports", "NamelessProtocol", message);
  return report.problems;
}

/** What is resolved on request has no endpoints to choose among. */
function subsetsOf(
  service: Service,
  rule: MergedRule | undefined,
): readonly (RuleSubset | undefined)[] {
  if (service.resolution === "dns-on-request") return [undefined];
  return [undefined, ...(rule?.subsets ?? [])];
}

interface ClusterInput {
  readonly inline: readonly EndpointSet[];
  readonly rule: MergedRule | undefined;
  readonly subset: RuleSubset | undefined;
  readonly mesh: MeshConfig;
  readonly proxyType: ProxyType;
  readonly from: string;
}

function buildCluster(
  service: Service,
  port: ServicePort,
  input: ClusterInput,
): Translated<Cluster> {
  const { rule, subset, mesh, proxyType } = input;
  const policy = policyFor(rule, port.number, mesh, subset);
  const { reportOf, placeOf, problems } = reportsOn(service, port, input);
  const user = { protocol: port.protocol, proxyType, direction: "outbound" } as const;
  const fields = applyPolicy(policy, user, mesh, placeOf);
  const name = outboundCluster(service.host, port.number, subset?.subset.name);
  const tlsInput: TlsInput = {
    service,
    port,
    subset: subset?.subset.name,
    mesh,
    proxyType,
    goesAnyway:
      fields.loadBalancing.kind === "provided" ||
      (service.resolution === "original" && proxyType === "sidecar"),
    allSpeakMeshTls: allSpeakMeshTls(port, input),
    selective: isSelective(writtenAt(rule, port.number, subset, "tls")?.rule),
    http2: fields.http?.version === "http2",
  };
  const security = transportSecurity(policy.tls, tlsInput, placeOf("tls"));
  const { tls } = security;
  const discovery =
    fields.loadBalancing.kind === "provided"
      ? { kind: "original" as const }
      : discoveryOf(name, service, port, { ...input, tls, report: reportOf(service.source) });
  const provided = discovery.kind === "original" || discovery.kind === "dns-on-request";
  const localities = provided ? undefined : balancingOf(localitySetting(policy, service, mesh));
  return {
    value: {
      name,
      direction: "outbound",
      discovery,
      ...fields,
      ...(provided ? { loadBalancing: { kind: "provided" as const } } : {}),
      ...(localities === undefined ? {} : { localities }),
      ...security,
      services: [{ host: service.host, name: service.name, namespace: service.namespace }],
      ...(subset === undefined ? {} : { subset: subset.subset.name }),
      ...statName(service, port, subset, mesh),
      ...(service.external ? { external: true } : {}),
      origins: [
        originOf(service.source),
        ...(rule?.policy === undefined
          ? []
          : [originOf(rule.policy.rule.key, "spec.trafficPolicy")]),
        ...(subset === undefined ? [] : [originOf(subset.rule.key, subset.path)]),
      ],
    },
    problems: problems(),
  };
}

/** Whoever says something about a cluster hears what is wrong with it, where it is written. */
function reportsOn(
  service: Service,
  port: ServicePort,
  { rule, subset }: ClusterInput,
): {
  readonly reportOf: (object: ObjectKey) => Reporter;
  readonly placeOf: (field: PolicyField) => PolicyPlace;
  readonly problems: () => IrProblem[];
} {
  const reports = new Map<ObjectKey, Reporter>();
  const reportOf = (object: ObjectKey): Reporter => {
    const report = reports.get(object) ?? reporter(object);
    reports.set(object, report);
    return report;
  };
  return {
    reportOf,
    placeOf: (field) => {
      const at = writtenAt(rule, port.number, subset, field);
      const report = reportOf(at?.rule.key ?? service.source);
      return { report, path: at?.path ?? "spec.trafficPolicy" };
    },
    problems: () => [...reports.values()].flatMap((report) => report.problems),
  };
}

/** For chosen workloads only. */
function isSelective(rule: DestinationRule | undefined): boolean {
  return rule !== undefined && selectorOf(rule) !== undefined;
}

/** Those behind the port and in the subset; none at all don't. */
function allSpeakMeshTls(port: ServicePort, { inline, subset }: ClusterInput): boolean {
  const labels = subset?.subset.labels ?? {};
  const all = inline.flatMap((set) =>
    set.endpoints.filter(
      (one) => Object.hasOwn(one.ports, port.name) && matchesAll(labels, one.labels),
    ),
  );
  return all.length > 0 && all.every((one) => one.meshTls);
}

function discoveryOf(
  name: ClusterName,
  service: Service,
  port: ServicePort,
  input: ClusterInput & { readonly tls: ClientTls | undefined; readonly report: Reporter },
): Discovery {
  const refreshMs = input.mesh.dnsRefreshMs;
  switch (service.resolution) {
    case "discovery":
      return { kind: "discovered" };
    case "original":
      return input.proxyType === "router"
        ? { kind: "discovered" }
        : { kind: "original", ...otherPort(service, port) };
    case "dns-on-request":
      return dnsOnRequest(input.tls);
    case "alias":
      return {
        kind: "dns",
        answers: "all",
        refreshMs,
        assignment: singleEndpoint(name, service.aliasOf ?? service.host, port.number),
      };
    case "dns":
    case "dns-first": {
      const { rule, subset, mesh, from } = input;
      const answers = service.resolution === "dns" ? "all" : "first";
      const sets = input.inline;
      const assignment = buildAssignment(service, port, { sets, rule, subset, mesh, from });
      return {
        kind: "dns",
        answers,
        refreshMs,
        assignment: resolvable(assignment, answers, input.report),
      };
    }
  }
}

/** A ServiceEntry may say that its servers listen elsewhere; behind a Service each pod's port counts. */
function otherPort(service: Service, { number, targetPort }: ServicePort): { port?: number } {
  const differs = typeof targetPort === "number" && targetPort !== number;
  return differs && !service.headless ? { port: targetPort } : {};
}
