/**
 * Inbound side of a sidecar: redirected connections enter at 15006, where the destination port finds
 * the chain; ports that no service mentions pass through to the application as they are.
 */

import { isIPv6 } from "node:net";
import type { IstioIngressListener } from "#crds/types/networking-v1.ts";
import type { Cluster } from "#pilot/ir/cluster.ts";
import type { ChainMatch, FilterChain, Listener } from "#pilot/ir/listener.ts";
import {
  BLACK_HOLE,
  type ClusterName,
  INBOUND_PASSTHROUGH,
  inboundCluster,
} from "#pilot/ir/name.ts";
import type { Origin } from "#pilot/ir/origin.ts";
import type { Route, RouteConfiguration } from "#pilot/ir/route.ts";
import type { ServerTls } from "#pilot/ir/tls.ts";
import type { MeshConfig, PeerTls } from "#pilot/model/mesh-config.ts";
import { type Protocol, isTls, listenerKind, parseProtocol } from "#pilot/model/protocol.ts";
import { type PushContext, objectOf } from "#pilot/model/push-context.ts";
import type { ServiceTarget, WorkloadScope } from "#pilot/model/scope.ts";
import { sidecarOf } from "#pilot/model/visible.ts";
import { accessLogOf } from "./access-log.ts";
import { passthroughTo } from "./clusters.ts";
import { policyFor, ruleFor } from "./destination-rule.ts";
import { forwardTo } from "./outbound-listeners.ts";
import { type Reporter, type Translated, originOf, reporter, warn } from "./result.ts";
import { applyPolicy } from "./traffic-policy.ts";

export const INBOUND_PORT = 15006;

/** Connections to the application come from here, so that they aren't redirected again. */
const SOURCE_ADDRESS = "127.0.0.6";

const MESH_HTTP = ["istio-http/1.0", "istio-http/1.1", "istio-h2"];
const MESH_TCP = ["istio-peer-exchange", "istio"];
const MESH_ALL = ["istio", "istio-peer-exchange", ...MESH_HTTP];
const PLAIN_HTTP = ["http/1.1", "h2c"];

/** One port that the workload serves. */
interface InboundPort {
  /** Where it is called. */
  readonly number: number;
  /** Of the service that leads to it; its own number where a Sidecar declares it. */
  readonly servicePort: number;
  readonly protocol: Protocol;
  /** What chains are named by: `address_port`. */
  readonly bind: string;
  readonly host: string;
  readonly origins: readonly Origin[];
  readonly target: InboundTarget;
  readonly service?: ServiceTarget;
}

/** Where the application listens: where the connection was going, or a written address. */
type InboundTarget =
  | { readonly kind: "original"; readonly sourceAddress?: string }
  | {
      readonly kind: "address";
      readonly address: string;
      readonly port: number;
      readonly sourceAddress?: string;
    };

/** Inbound clusters, one a port, and the one for everything else. */
export function translateInboundClusters(
  context: PushContext,
  scope: WorkloadScope,
): Translated<readonly Cluster[]> {
  const report = reporter(sidecarOf(context, scope)?.key ?? originless);
  const clusters = new Map<string, Cluster>();
  for (const port of inboundPorts(context, scope, report)) {
    const cluster = inboundClusterOf(context, scope, port);
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

function inboundClusterOf(context: PushContext, scope: WorkloadScope, port: InboundPort): Cluster {
  const { mesh } = context;
  const name = inboundCluster(port.number);
  const service = port.service === undefined ? undefined : objectOf(context, port.service.service);
  const rule =
    service?.kind === "Service" ? ruleFor(context, { ...scope, labels: {} }, service) : undefined;
  const pool = policyFor(rule, port.servicePort).connectionPool;
  const fields = applyPolicy(
    pool === undefined ? {} : { connectionPool: pool },
    port.protocol,
    mesh,
    { report: reporter(originless), path: "" },
  );
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
    services:
      service?.kind === "Service"
        ? [{ host: service.host, name: service.name, namespace: service.namespace }]
        : [],
    origins: port.origins,
  };
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
  const { mesh } = context;
  const report = reporter(sidecarOf(context, scope)?.key ?? originless);
  const ports = inboundPorts(context, scope, report);
  const accessLog = accessLogOf(mesh);
  const passThrough = passthroughChains(mesh);
  const chains = ports.flatMap((port) => portChains(port, mesh.peerTls, mesh));
  const sniffed = ports.filter((port) => listenerKind(port.protocol) === "auto");
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
        inspectors: [
          "original-destination",
          ...(mesh.peerTls === "DISABLE" ? [] : (["tls"] as const)),
          "http",
        ],
        uninspectedPorts: [
          ...ports.filter((port) => !sniffed.includes(port)).map((port) => port.number),
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
        ...(accessLog === undefined ? {} : { accessLog }),
        origins: ports.flatMap((port) => port.origins),
      },
    ],
    problems: report.problems,
  };
}

/** A Sidecar's ingress replaces what services say; one chain set a port, the first service's. */
function inboundPorts(
  context: PushContext,
  scope: WorkloadScope,
  report: Reporter,
): readonly InboundPort[] {
  const sidecar = sidecarOf(context, scope);
  const ingress = sidecar?.spec.ingress ?? [];
  if (sidecar !== undefined && ingress.length > 0) {
    return ingress
      .map((listener, at) => declaredPort(listener, at, scope, report))
      .filter((port) => port !== undefined)
      .toSorted((left, right) => left.number - right.number);
  }
  const byNumber = new Map<number, InboundPort>();
  for (const target of scope.targets) {
    if (byNumber.has(target.targetPort)) continue;
    byNumber.set(target.targetPort, {
      number: target.targetPort,
      servicePort: target.port.number,
      protocol: target.port.protocol,
      bind: "0.0.0.0",
      host: target.host,
      origins: [originOf(target.source)],
      target:
        context.mesh.inboundTrafficPolicy === "LOCALHOST"
          ? { kind: "address", address: "127.0.0.1", port: target.targetPort }
          : { kind: "original", sourceAddress: SOURCE_ADDRESS },
      service: target,
    });
  }
  return [...byNumber.values()].toSorted((left, right) => left.number - right.number);
}

function declaredPort(
  listener: IstioIngressListener,
  at: number,
  scope: WorkloadScope,
  report: Reporter,
): InboundPort | undefined {
  const path = `spec.ingress[${at}]`;
  for (const field of ["tls", "connectionPool"] as const) {
    if (listener[field] !== undefined) {
      warn(report, `${path}.${field}`, "Unsupported", `${field} has no effect in this version`);
    }
  }
  const number = listener.port?.number;
  if (number === undefined) return undefined;
  const target = declaredTarget(listener.defaultEndpoint ?? "", scope, report, path);
  const bind = listener.bind ?? "";
  return {
    number,
    servicePort: number,
    protocol: parseProtocol(listener.port.protocol),
    bind: bind === "" ? (scope.addresses[0] ?? "0.0.0.0") : bind,
    host: "",
    origins: [originOf(report.object, path)],
    target: target ?? { kind: "original", sourceAddress: SOURCE_ADDRESS },
  };
}

/** `127.0.0.1:p`, `[::1]:p`, or `0.0.0.0:p` for the instance's own address. */
function declaredTarget(
  text: string,
  scope: WorkloadScope,
  report: Reporter,
  path: string,
): InboundTarget | undefined {
  if (text === "") return undefined;
  const split = /^(.*):(\d{1,5})$/.exec(text);
  const host = split?.[1]?.replace(/^\[|\]$/g, "");
  if (split === null || host === undefined) {
    const message = `${text} is not ADDRESS:PORT: the port that is called is used`;
    warn(report, `${path}.defaultEndpoint`, "Unsupported", message);
    return undefined;
  }
  const port = Number(split[2]);
  if (host !== "0.0.0.0" && host !== "::") return { kind: "address", address: host, port };
  const own = scope.addresses.find((address) => isIPv6(address) === (host === "::"));
  if (own === undefined) return undefined;
  return { kind: "address", address: own, port, sourceAddress: SOURCE_ADDRESS };
}

const MESH_TLS: ServerTls = {
  credential: { kind: "workload" },
  trust: { kind: "workload" },
  requireClientCertificate: true,
  subjectAltNames: [],
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

function portChains(port: InboundPort, peerTls: PeerTls, mesh: MeshConfig): FilterChain[] {
  const name = `${port.bind}_${port.number}`;
  const cluster = inboundCluster(port.number);
  const protocol: Protocol = isTls(port.protocol) ? "TCP" : port.protocol;
  return draftsFor(protocol, peerTls).map(({ match, tls, kind }) => ({
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
    ...(tls === undefined ? {} : { tls }),
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
    ...(tls === undefined ? {} : { tls }),
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
