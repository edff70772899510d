/**
 * Inbound side of a sidecar: redirected connections enter at 15006, where the destination port
 * finds the chain; ports that no service mentions pass through to the application as they are.
 */

import type { Cluster } from "#pilot/ir/cluster.ts";
import type { ChainMatch, FilterChain, Listener } from "#pilot/ir/listener.ts";
import {
  BLACK_HOLE,
  type ClusterName,
  INBOUND_PASSTHROUGH,
  inboundCluster,
} from "#pilot/ir/name.ts";
import type { Route, RouteConfiguration } from "#pilot/ir/route.ts";
import type { ServerTls } from "#pilot/ir/tls.ts";
import { cached } from "#pilot/model/cached.ts";
import type { MeshConfig, PeerTls } from "#pilot/model/mesh-config.ts";
import { type Protocol, isTls, listenerKind } from "#pilot/model/protocol.ts";
import { type PushContext, objectOf } from "#pilot/model/push-context.ts";
import { type WorkloadScope, meshOf } from "#pilot/model/scope.ts";
import { sidecarOf } from "#pilot/model/visible.ts";
import { passthroughTo } from "./catch-all-clusters.ts";
import { policyFor, ruleFor } from "./destination-rule.ts";
import { type InboundPort, SOURCE_ADDRESS, inboundPorts } from "./inbound-ports.ts";
import { type Observed, observationOf } from "./observation.ts";
import { forwardTo } from "./virtual-outbound.ts";
import { pathFields } from "./path-normalization.ts";
import { type Reporter, type Translated, reporter, warn } from "./result.ts";
import { inboundStatName } from "./stat-name.ts";
import { applyPolicy } from "./traffic-policy.ts";

export const INBOUND_PORT = 15006;

const MESH_HTTP = ["istio-http/1.0", "istio-http/1.1", "istio-h2"];
const MESH_TCP = ["istio-peer-exchange", "istio"];
const MESH_ALL = ["istio", "istio-peer-exchange", ...MESH_HTTP];
const PLAIN_HTTP = ["http/1.1", "h2c"];

/** Inbound clusters, one a port, and the one for everything else. */
export function translateInboundClusters(
  context: PushContext,
  scope: WorkloadScope,
): Translated<readonly Cluster[]> {
  const report = reporter(sidecarOf(context, scope)?.key ?? originless);
  const clusters = new Map<string, Cluster>();
  for (const port of inboundPorts(context, scope, report)) {
    const cluster = inboundClusterOf(context, scope, port, report);
    if (!clusters.has(cluster.name)) clusters.set(cluster.name, cluster);
  }
  const rest: Cluster = {
    ...passthroughTo(INBOUND_PASSTHROUGH, context.mesh),
    direction: "inbound",
    sourceAddress: SOURCE_ADDRESS,
  };
  return { value: [...clusters.values(), rest], problems: report.problems };
}

const originless = "Sidecar//" as Reporter["object"];

function inboundClusterOf(
  context: PushContext,
  scope: WorkloadScope,
  port: InboundPort,
  report: Reporter,
): Cluster {
  const { mesh } = context;
  const name = inboundCluster(port.number);
  const service = port.service === undefined ? undefined : objectOf(context, port.service.service);
  const rule =
    service?.kind === "Service" ? ruleFor(context, { ...scope, labels: {} }, service) : undefined;
  const own = port.pool?.spec;
  const pool = own ?? policyFor(rule, port.servicePort, mesh).connectionPool;
  const read = reporter(report.object);
  const fields = applyPolicy(
    pool === undefined ? {} : { connectionPool: pool },
    { protocol: port.protocol, proxyType: scope.proxyType, direction: "inbound" },
    mesh,
    () => ({ report: read, path: "" }),
  );
  if (port.pool !== undefined) tellPool(port.pool, read, report);
  const { panicThresholdPercent: _panic, ...rest } = fields;
  const { target } = port;
  return {
    ...rest,
    name,
    direction: "inbound",
    discovery:
      target.kind === "original"
        ? { kind: "original" }
        : {
            kind: "static",
            assignment: staticTarget(name, target.address, target.port),
          },
    loadBalancing: { kind: target.kind === "original" ? "provided" : "round-robin" },
    ...(target.sourceAddress === undefined ? {} : { sourceAddress: target.sourceAddress }),
    ...(service?.kind === "Service" && port.service !== undefined
      ? inboundStatName(service, port.service.port, mesh)
      : {}),
    services:
      service?.kind === "Service"
        ? [{ host: service.host, name: service.name, namespace: service.namespace }]
        : [],
    origins: port.origins,
  };
}

/** What a rule of the service says wrongly is told to its clients' side. */
function tellPool(
  { spec, path }: NonNullable<InboundPort["pool"]>,
  read: Reporter,
  report: Reporter,
): void {
  for (const problem of read.problems) {
    report.problems.push({ ...problem, path: problem.path.replace(/^\.connectionPool/, path) });
  }
  if (spec.http?.h2UpgradePolicy !== undefined) {
    const message = "the application is called in the version that the port's protocol says";
    warn(report, `${path}.http.h2UpgradePolicy`, "NoEffect", message);
  }
}

function staticTarget(
  cluster: ClusterName,
  address: string,
  port: number,
): Extract<Cluster["discovery"], { kind: "static" }>["assignment"] {
  const endpoint = {
    address,
    port,
    weight: 1,
    health: "healthy" as const,
    workload: "",
    meshTls: false,
  };
  const place = { region: "", zone: "", subZone: "", priority: 0, weight: 0 };
  return { cluster, localities: [{ ...place, endpoints: [endpoint] }], origins: [] };
}

/** The listener for redirected inbound connections. */
export function translateInboundListeners(
  context: PushContext,
  scope: WorkloadScope,
): Translated<readonly Listener[]> {
  const mesh = meshOf(context, scope);
  const report = reporter(sidecarOf(context, scope)?.key ?? originless);
  const ports = inboundPorts(context, scope, report);
  const observed = observationOf(context, scope, "server");
  const passThrough = passthroughChains(mesh);
  const isTlsLookedFor = mesh.peerTls !== "DISABLE" || ports.some((port) => port.tls !== undefined);
  const captured = ports.filter((port) => port.listensAt === undefined);
  const chains = captured.flatMap((port) => portChains(port, mesh.peerTls, mesh));
  const sniffed = captured.filter((port) => listenerKind(port.protocol) === "auto");
  return {
    value: [
      {
        name: "virtualInbound",
        address: "0.0.0.0",
        port: INBOUND_PORT,
        additionalAddresses: [],
        direction: "inbound",
        bindToPort: true,
        useOriginalDestination: false,
        inspectors: ["original-destination", ...(isTlsLookedFor ? (["tls"] as const) : []), "http"],
        uninspectedPorts: [
          ...captured.filter((port) => !sniffed.includes(port)).map((port) => port.number),
          INBOUND_PORT,
        ].toSorted((left, right) => left - right),
        inspectionTimeoutMs: mesh.protocolDetectionTimeoutMs,
        filterChains: [
          {
            name: "virtualInbound-blackhole",
            match: { destinationPort: INBOUND_PORT },
            connection: forwardTo(BLACK_HOLE),
            origins: [],
          },
          ...passThrough,
          ...chains,
        ],
        ...observed.value,
        ...pathFields(mesh),
        origins: captured.flatMap((port) => port.origins),
      },
      ...ports.flatMap((port) =>
        port.listensAt === undefined
          ? []
          : [ownListener(port, port.listensAt, mesh, observed.value)],
      ),
    ],
    problems: [...report.problems, ...observed.problems],
  };
}

/** Where connections come by themselves, without redirection (`captureMode: NONE`). */
function ownListener(
  port: InboundPort,
  address: string,
  mesh: MeshConfig,
  observed: Observed,
): Listener {
  const filterChains = portChains(port, mesh.peerTls, mesh);
  const isAuto = listenerKind(port.protocol) === "auto";
  const hasTls = filterChains.some((chain) => chain.match.transport === "tls");
  return {
    name: `${port.bind}_${port.number}`,
    address,
    port: port.number,
    additionalAddresses: [],
    direction: "inbound",
    bindToPort: true,
    useOriginalDestination: false,
    inspectors: [...(hasTls ? (["tls"] as const) : []), ...(isAuto ? (["http"] as const) : [])],
    uninspectedPorts: [],
    inspectionTimeoutMs: mesh.protocolDetectionTimeoutMs,
    filterChains,
    ...observed,
    ...pathFields(mesh),
    origins: port.origins,
  };
}

const meshTls = cached(({ peerTlsLimits: limits }: MeshConfig): ServerTls => ({
  ...MESH_TLS,
  minVersion: limits?.minVersion ?? "TLSv1_2",
  cipherSuites: limits?.cipherSuites ?? [],
  ...((limits?.curves ?? []).length === 0 ? {} : { curves: limits?.curves }),
}));

const MESH_TLS: ServerTls = {
  credentials: [{ kind: "workload" }],
  trust: { kind: "workload" },
  requireClientCertificate: true,
  subjectAltNames: [],
  publicKeys: [],
  certificateHashes: [],
  acceptUntrusted: false,
  minVersion: "TLSv1_2",
  maxVersion: "TLSv1_3",
  cipherSuites: [],
  alpn: ["h2", "http/1.1"],
};

interface ChainDraft {
  readonly match: ChainMatch;
  readonly tls?: ServerTls;
  readonly kind: "http" | "tcp";
}

/** Chains of a protocol under a policy; the order is the one that istioctl users know. */
function draftsFor(protocol: Protocol, peerTls: PeerTls): ChainDraft[] {
  const kind = listenerKind(protocol);
  const mutual = peerTls !== "DISABLE";
  const plain = peerTls !== "STRICT";
  const drafts: ChainDraft[] = [];
  const add = (
    to: "http" | "tcp",
    transport: "plain" | "tls",
    applicationProtocols?: readonly string[],
    tls?: ServerTls,
  ): void => {
    drafts.push({
      kind: to,
      match: {
        transport,
        ...(applicationProtocols === undefined ? {} : { applicationProtocols }),
      },
      ...(tls === undefined ? {} : { tls }),
    });
  };
  if (kind !== "auto") {
    if (mutual) add(kind, "tls", peerTls === "STRICT" ? undefined : MESH_ALL, MESH_TLS);
    if (mutual && plain && kind === "tcp") add("tcp", "tls");
    if (plain) add(kind, "plain");
    return drafts;
  }
  if (mutual) add("http", "tls", MESH_HTTP, MESH_TLS);
  if (plain) add("http", "plain", PLAIN_HTTP);
  if (mutual) add("tcp", "tls", peerTls === "STRICT" ? undefined : MESH_TCP, MESH_TLS);
  if (plain) add("tcp", "plain");
  if (mutual && plain) add("tcp", "tls");
  return drafts;
}

/** TLS of the port's own is all that it takes. */
function draftsOf({ tls }: InboundPort, protocol: Protocol, peerTls: PeerTls): ChainDraft[] {
  if (tls === undefined) return draftsFor(protocol, peerTls);
  const kind = listenerKind(protocol) === "http" ? "http" : "tcp";
  return [{ kind, match: { transport: "tls" }, tls }];
}

function portChains(port: InboundPort, peerTls: PeerTls, mesh: MeshConfig): FilterChain[] {
  const name = `${port.bind}_${port.number}`;
  const cluster = inboundCluster(port.number);
  const protocol: Protocol = isTls(port.protocol) ? "TCP" : port.protocol;
  return draftsOf(port, protocol, peerTls).map(({ match, tls, kind }) => ({
    name,
    match: { destinationPort: port.number, ...match },
    connection:
      kind === "tcp"
        ? forwardTo(cluster)
        : {
            kind: "http",
            role: "inbound",
            statPrefix: `inbound_${name};`,
            routes: {
              kind: "inline",
              configuration: inboundRoutes(cluster, port.servicePort, port.host, mesh),
            },
          },
    ...(tls === undefined ? {} : { tls: tls === MESH_TLS ? meshTls(mesh) : tls }),
    origins: port.origins,
  }));
}

function passthroughChains(mesh: MeshConfig): FilterChain[] {
  return draftsFor("Auto", mesh.peerTls).map(({ match, tls, kind }) => ({
    name: kind === "http" ? "virtualInbound-catchall-http" : "virtualInbound",
    match,
    connection:
      kind === "tcp"
        ? forwardTo(INBOUND_PASSTHROUGH)
        : {
            kind: "http",
            role: "inbound",
            statPrefix: `${INBOUND_PASSTHROUGH};`,
            routes: {
              kind: "inline",
              configuration: inboundRoutes(INBOUND_PASSTHROUGH, 0, "", mesh),
            },
          },
    ...(tls === undefined ? {} : { tls: tls === MESH_TLS ? meshTls(mesh) : tls }),
    origins: [],
  }));
}

/** Everything to one cluster; a request that never reached the application is tried again. */
function inboundRoutes(
  cluster: ClusterName,
  servicePort: number,
  host: string,
  _mesh: MeshConfig,
): RouteConfiguration {
  const route: Route = {
    name: "default",
    match: { path: { kind: "prefix", value: "/" }, headers: [], query: [] },
    action: {
      kind: "forward",
      clusters: [{ cluster, weight: 1, origins: [] }],
      timeoutMs: 0,
      retry: {
        attempts: 2,
        retryOn: "reset-before-request",
        retriableStatusCodes: [],
        avoidPreviousHosts: false,
        otherLocalities: false,
      },
      mirrors: [],
      hash: [],
    },
    operation: `${host}:${servicePort}/*`,
    origins: [],
  };
  return {
    name: cluster,
    virtualHosts: [
      {
        name: `inbound|http|${servicePort}`,
        domains: ["*"],
        routes: [route],
        requireTls: false,
        origins: [],
      },
    ],
    ignorePort: false,
    origins: [],
  };
}
