/**
 * Outbound clusters: one for each port of each visible service, and for each subset of its rule.
 */

import type { ClientTLSSettings } from "#crds/types/networking-v1.ts";
import { type Cluster, type Discovery, UNLIMITED } from "#pilot/ir/cluster.ts";
import {
  BLACK_HOLE,
  type ClusterName,
  PASSTHROUGH,
  outboundCluster,
  tlsServerName,
} from "#pilot/ir/name.ts";
import type { IrProblem } from "#pilot/ir/scope-ir.ts";
import type { ClientTls } from "#pilot/ir/tls.ts";
import { cached } from "#pilot/model/cached.ts";
import type { MeshConfig } from "#pilot/model/mesh-config.ts";
import type { EndpointSet, Service, ServicePort } from "#pilot/model/object.ts";
import type { PushContext } from "#pilot/model/push-context.ts";
import type { OutboundScope } from "#pilot/model/scope.ts";
import { visibleServices } from "#pilot/model/visible.ts";
import { policyFor, ruleFor } from "./destination-rule.ts";
import type { MergedRule, RuleSubset } from "./merged-rule.ts";
import { buildAssignment, endpointSetsOf, singleEndpoint } from "./endpoints.ts";
import { type Translated, guarded, originOf, reporter, warn } from "./result.ts";
import { applyPolicy, clientTls } from "./traffic-policy.ts";

/** All clusters of an outbound scope: the two that every proxy has, then by host. */
export function translateClusters(
  context: PushContext,
  scope: OutboundScope,
): Translated<readonly Cluster[]> {
  const problems: IrProblem[] = [];
  const clusters: Cluster[] = [blackHole(context.mesh)];
  if (scope.proxyType === "sidecar") clusters.push(passthrough(context.mesh));
  const visible = visibleServices(context, scope);
  for (const service of visible.list) {
    if (service.aliasOf !== undefined && visible.byHost.has(service.aliasOf)) continue;
    const rule = ruleFor(context, scope, service);
    const inline = service.resolution === "discovery" ? NO_SETS : endpointSetsOf(context, service);
    const made = clustersOfService(service, inline, rule, context.mesh, scope.proxyType);
    clusters.push(...made.value);
    problems.push(...made.problems);
  }
  return { value: clusters, problems };
}

const NO_SETS: readonly EndpointSet[] = [];

const clustersOfService = cached(
  (
    service: Service,
    inline: readonly EndpointSet[],
    rule: MergedRule | undefined,
    mesh: MeshConfig,
    proxyType: OutboundScope["proxyType"],
  ): Translated<readonly Cluster[]> => {
    const owner = rule?.rules[0]?.key ?? service.source;
    return guarded(owner, [], () => {
      const problems: IrProblem[] = [];
      const clusters: Cluster[] = [];
      for (const port of service.ports) {
        if (port.protocol === "UDP") continue;
        for (const subset of [undefined, ...(rule?.subsets ?? [])]) {
          const made = buildCluster(service, port, { inline, rule, subset, mesh, proxyType });
          clusters.push(made.value);
          problems.push(...made.problems);
        }
      }
      return { value: clusters, problems };
    });
  },
);

interface ClusterInput {
  readonly inline: readonly EndpointSet[];
  readonly rule: MergedRule | undefined;
  readonly subset: RuleSubset | undefined;
  readonly mesh: MeshConfig;
  readonly proxyType: OutboundScope["proxyType"];
}

function buildCluster(
  service: Service,
  port: ServicePort,
  input: ClusterInput,
): Translated<Cluster> {
  const { rule, subset, mesh } = input;
  const policy = policyFor(rule, port.number, subset);
  const author = subset?.rule ?? rule?.policy?.rule;
  const report = reporter(author?.key ?? service.source);
  const path =
    subset?.subset.trafficPolicy === undefined
      ? "spec.trafficPolicy"
      : `${subset.path}.trafficPolicy`;
  const fields = applyPolicy(policy, port.protocol, mesh, { report, path });
  const name = outboundCluster(service.host, port.number, subset?.subset.name);
  const discovery = discoveryOf(name, service, port, input);
  const original = discovery.kind === "original" || fields.loadBalancing.kind === "provided";
  const { tls, meshTls } = securityOf(policy.tls, service, port, input);
  if (policy.tls?.mode === "ISTIO_MUTUAL" && mesh.peerTls === "DISABLE") {
    const message = "mutual TLS between proxies is off in this mesh: plain text is sent";
    warn(report, `${path}.tls.mode`, "MeshTlsDisabled", message);
  }
  return {
    value: {
      name,
      direction: "outbound",
      discovery: original ? { kind: "original" } : discovery,
      ...fields,
      ...(original ? { loadBalancing: { kind: "provided" as const } } : {}),
      ...(tls === undefined ? {} : { tls }),
      ...(meshTls === undefined ? {} : { meshTls }),
      services: [{ host: service.host, name: service.name, namespace: service.namespace }],
      ...(subset === undefined ? {} : { subset: subset.subset.name }),
      origins: [
        originOf(service.source),
        ...(rule?.policy === undefined
          ? []
          : [originOf(rule.policy.rule.key, "spec.trafficPolicy")]),
        ...(subset === undefined ? [] : [originOf(subset.rule.key, subset.path)]),
      ],
    },
    problems: report.problems,
  };
}

function discoveryOf(
  name: ClusterName,
  service: Service,
  port: ServicePort,
  input: ClusterInput,
): Discovery {
  switch (service.resolution) {
    case "discovery":
      return { kind: "discovered" };
    case "original":
      return { kind: "original" };
    case "alias":
      return {
        kind: "dns",
        answers: "all",
        assignment: singleEndpoint(name, service.aliasOf ?? service.host, port.number),
      };
    case "dns":
    case "dns-first": {
      const { rule, subset, mesh } = input;
      const sets = input.inline;
      return {
        kind: "dns",
        answers: service.resolution === "dns" ? "all" : "first",
        assignment: buildAssignment(service, port, { sets, rule, subset, mesh, from: "" }),
      };
    }
  }
}

/** What is written wins; else mutual TLS of the mesh where the endpoint accepts it. */
function securityOf(
  spec: ClientTLSSettings | undefined,
  service: Service,
  port: ServicePort,
  input: ClusterInput,
): { tls?: ClientTls; meshTls?: ClientTls } {
  if (spec !== undefined && spec.mode !== "ISTIO_MUTUAL") {
    const tls = clientTls(spec, "");
    return tls === undefined ? {} : { tls };
  }
  const inMesh = service.resolution === "discovery" && !service.external;
  if (input.mesh.peerTls === "DISABLE" || (!inMesh && spec === undefined)) return {};
  const mutual: ClientTls = {
    credential: { kind: "workload" },
    trust: { kind: "workload" },
    serverName: spec?.sni ?? tlsServerName(service.host, port.number, input.subset?.subset.name),
    autoServerName: false,
    subjectAltNames: spec?.subjectAltNames ?? service.subjectAltNames,
    alpn: ["istio-peer-exchange", "istio"],
  };
  return spec === undefined ? { meshTls: mutual } : { tls: mutual };
}

const blackHole = cached((mesh: MeshConfig): Cluster => ({
  name: BLACK_HOLE,
  direction: "outbound",
  discovery: { kind: "none" },
  loadBalancing: { kind: "round-robin" },
  connectTimeoutMs: mesh.connectTimeoutMs,
  services: [],
  origins: [],
}));

const passthrough = cached((mesh: MeshConfig): Cluster => ({
  ...passthroughTo(PASSTHROUGH, mesh),
  direction: "outbound",
}));

/** A cluster that goes wherever the connection was going. */
export function passthroughTo(name: ClusterName, mesh: MeshConfig): Omit<Cluster, "direction"> {
  return {
    name,
    discovery: { kind: "original" },
    loadBalancing: { kind: "provided" },
    connectTimeoutMs: mesh.connectTimeoutMs,
    limits: {
      maxConnections: UNLIMITED,
      maxPendingRequests: UNLIMITED,
      maxRequests: UNLIMITED,
      maxRetries: UNLIMITED,
    },
    http: { version: "downstream", idleTimeoutMs: 300_000 },
    services: [],
    origins: [],
  };
}
