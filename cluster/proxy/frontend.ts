/**
 * What a Service means on one node, before any nftables: the addresses it is reached at and where
 * each of them leads. Follows "Virtual IPs and Service Proxies" and "Service Internal Traffic
 * Policy" of the Kubernetes documentation.
 */

import type { Service, ServicePort } from "#cluster/api/generated/core-v1.ts";
import type { EndpointSlice } from "#cluster/api/generated/discovery-v1.ts";
import { backendsOf } from "./backend.ts";
import type { Backend, NodeBackends } from "./backend.ts";

export type Protocol = "tcp" | "udp" | "sctp";

/** Where traffic goes. */
export interface Target {
  /** The position is the slot in the endpoint map. */
  backends: readonly Backend[];
  /** What becomes of a new connection when there is no backend. */
  whenEmpty: "reject" | "drop";
  /** Whether the backend sees the client's address also when the client is outside. */
  keepSource: boolean;
}

/** One protocol, address and port that the node answers for. */
export interface Frontend {
  protocol: Protocol;
  address: string;
  port: number;
  /** `namespace/name` of the Service that it is of. */
  service: string;
  /** For the node's own pods and processes, and for others when `outside` is absent. */
  inside: Target;
  /** For what comes from other nodes and the host, when that differs. */
  outside?: Target;
  /** Session affinity by client address. */
  affinitySeconds?: number;
  /** When present, only these may connect. */
  sourceRanges?: readonly string[];
}

export interface FrontendInput {
  service: Service;
  slices: readonly EndpointSlice[];
  nodeName: string;
  nodeAddress: string;
}

const AFFINITY_SECONDS = 10_800;
const IPV4 = /^(?:[0-9]{1,3}\.){3}[0-9]{1,3}$/;
const IPV4_RANGE = /^(?:[0-9]{1,3}\.){3}[0-9]{1,3}\/(?:[0-9]|[12][0-9]|3[0-2])$/;

/** `namespace/name`. */
export function serviceKey(at: { namespace?: string; name: string }): string {
  return `${at.namespace ?? ""}/${at.name}`;
}

/** Services that the proxy has nothing to do with (kube-proxy skips the same ones). */
export function isProxied(service: Service): boolean {
  const { spec, metadata } = service;
  if (spec === undefined || spec.type === "ExternalName") return false;
  if (spec.clusterIP === undefined || spec.clusterIP === "" || spec.clusterIP === "None") {
    return false;
  }
  const labels = metadata.labels ?? {};
  return (
    labels["service.kubernetes.io/service-proxy-name"] === undefined &&
    labels["service.kubernetes.io/headless"] === undefined
  );
}

/** Frontends of one Service, in the order of its ports and addresses; empty when not proxied. */
export function frontendsOf(input: FrontendInput): Frontend[] {
  const { service, slices, nodeName } = input;
  if (!isProxied(service)) return [];
  return (service.spec?.ports ?? []).flatMap((port) => {
    const protocol = protocolOf(port);
    if (protocol === undefined) return [];
    return portFrontends(input, { port, protocol, backends: backendsOf(port, slices, nodeName) });
  });
}

interface PortInput {
  port: ServicePort;
  protocol: Protocol;
  backends: NodeBackends;
}

function portFrontends(input: FrontendInput, at: PortInput): Frontend[] {
  const { service, nodeAddress } = input;
  const { port, protocol, backends } = at;
  const spec = service.spec ?? {};
  const base = {
    protocol,
    service: serviceKey(service.metadata),
    ...affinityOf(service),
  };
  const external = externalTargets(service, backends);
  const clusterIps = spec.clusterIPs ?? [spec.clusterIP ?? ""];
  const nodePort = spec.type === "ClusterIP" ? undefined : port.nodePort;
  return [
    ...clusterIps.filter(isIpv4).map((address) => ({
      ...base,
      address,
      port: port.port,
      inside: internalTarget(service, backends),
    })),
    ...(spec.externalIPs ?? [])
      .filter(isIpv4)
      .map((address) => ({ ...base, address, port: port.port, ...external })),
    ...loadBalancerAddresses(service).map((address) => ({
      ...base,
      address,
      port: port.port,
      ...loadBalancerTargets(external),
      ...sourceRangesOf(service),
    })),
    ...(nodePort === undefined || nodePort === 0
      ? []
      : [{ ...base, address: nodeAddress, port: nodePort, ...external }]),
  ];
}

function internalTarget(service: Service, backends: NodeBackends): Target {
  const isLocal = service.spec?.internalTrafficPolicy === "Local";
  if (!isLocal || backends.all.length === 0) {
    return { backends: backends.all, whenEmpty: "reject", keepSource: false };
  }
  return { backends: backends.local, whenEmpty: "drop", keepSource: false };
}

/** With externalTrafficPolicy Local, pods of the cluster still reach every endpoint. */
function externalTargets(
  service: Service,
  backends: NodeBackends,
): Pick<Frontend, "inside" | "outside"> {
  const inside: Target = { backends: backends.all, whenEmpty: "reject", keepSource: false };
  if (service.spec?.externalTrafficPolicy !== "Local" || backends.all.length === 0) {
    return { inside };
  }
  return { inside, outside: { backends: backends.local, whenEmpty: "drop", keepSource: true } };
}

/**
 * A load balancer would skip a node without local endpoints; here the node is the load balancer as
 * well, so it passes such connections on to the other nodes and gives up the client's address.
 */
function loadBalancerTargets(
  targets: Pick<Frontend, "inside" | "outside">,
): Pick<Frontend, "inside" | "outside"> {
  return targets.outside?.backends.length === 0 ? { inside: targets.inside } : targets;
}

/** Addresses with ipMode Proxy are answered by something in front of the nodes. */
function loadBalancerAddresses(service: Service): string[] {
  if (service.spec?.type !== "LoadBalancer") return [];
  return (service.status?.loadBalancer?.ingress ?? []).flatMap((ingress) =>
    ingress.ip !== undefined && isIpv4(ingress.ip) && ingress.ipMode !== "Proxy"
      ? [ingress.ip]
      : [],
  );
}

function sourceRangesOf(service: Service): Pick<Frontend, "sourceRanges"> {
  const ranges = service.spec?.loadBalancerSourceRanges ?? [];
  if (ranges.length === 0) return {};
  // Ranges of IPv6 allow nobody here.
  return { sourceRanges: ranges.map((range) => range.trim()).filter((r) => IPV4_RANGE.test(r)) };
}

function affinityOf(service: Service): Pick<Frontend, "affinitySeconds"> {
  const { sessionAffinity, sessionAffinityConfig } = service.spec ?? {};
  if (sessionAffinity !== "ClientIP") return {};
  const seconds = sessionAffinityConfig?.clientIP?.timeoutSeconds ?? AFFINITY_SECONDS;
  return { affinitySeconds: Math.max(1, Math.floor(seconds)) };
}

function protocolOf(port: ServicePort): Protocol | undefined {
  switch (port.protocol ?? "TCP") {
    case "TCP":
      return "tcp";
    case "UDP":
      return "udp";
    case "SCTP":
      return "sctp";
    default:
      return undefined;
  }
}

function isIpv4(address: string): boolean {
  return IPV4.test(address) && address.split(".").every((part) => Number(part) <= 255);
}
