/**
 * The nouns of the mesh, free of any platform. All are immutable once they are in a PushContext.
 */

import type {
  DestinationRuleSpec,
  EnvoyFilterSpec,
  GatewaySpec,
  ProxyConfigSpec,
  ServiceEntrySpec,
  SidecarSpec,
  TelemetrySpec,
  VirtualServiceSpec,
  WorkloadEntry as WorkloadEntrySpec,
  WorkloadGroupSpec,
} from "#crds/types/networking-v1.ts";
import type { Credential } from "./credential.ts";
import type { MeshConfig } from "./mesh-config.ts";
import type { Hostname, ObjectKey } from "./name.ts";
import type { Protocol } from "./protocol.ts";

export type Labels = Readonly<Record<string, string>>;

/** The spec of every kind of configuration object that translation reads. */
export interface ConfigSpecs {
  VirtualService: VirtualServiceSpec;
  DestinationRule: DestinationRuleSpec;
  Gateway: GatewaySpec;
  ServiceEntry: ServiceEntrySpec;
  Sidecar: SidecarSpec;
  WorkloadEntry: WorkloadEntrySpec;
  WorkloadGroup: WorkloadGroupSpec;
  EnvoyFilter: EnvoyFilterSpec;
  Telemetry: TelemetrySpec;
  ProxyConfig: ProxyConfigSpec;
}

export type ConfigKind = keyof ConfigSpecs;

/**
 * One configuration object. Field paths of problems and origins start at the object:
 * `spec.http[0]`.
 */
export interface ConfigObject<K extends ConfigKind = ConfigKind> {
  readonly kind: K;
  readonly key: ObjectKey;
  readonly group: string;
  readonly namespace: string;
  readonly name: string;
  readonly generation: number;
  /** RFC 3339, or empty: age decides conflicts, oldest first. */
  readonly creationTimestamp: string;
  readonly labels: Labels;
  readonly annotations: Labels;
  readonly spec: ConfigSpecs[K];
  /** Of a generated object: a path in it → the path in the object that it was made from. */
  readonly sourcePaths?: Readonly<Record<string, string>>;
  /** Of a VirtualService that was made from routes that say themselves which service they are of. */
  readonly attachment?: Attachment;
}

/**
 * Rules of one namespace that are attached to one service (Gateway API, "GAMMA"). Those of the
 * service's namespace are for all clients; those of another only for clients of that namespace,
 * where they come first. Paths are matched by segments; what can't be reached is answered 500.
 */
export interface Attachment {
  /** Only this port of the service. */
  readonly port?: number;
  /** Where it is said that they are attached; several objects may, the oldest first. */
  readonly parents: readonly Place[];
  /** Where each of `spec.http` is written. */
  readonly rules: readonly WrittenRule[];
}

/** A part of an object. */
export interface Place {
  readonly object: ObjectKey;
  readonly path: string;
}

export interface WrittenRule extends Place {
  /** Parts of the rule, `route[0]`, → their paths in the object; others are the rule's. */
  readonly parts: Readonly<Record<string, string>>;
}

/** The union over kinds, so that `kind` narrows `spec`. */
export type AnyConfigObject = { [K in ConfigKind]: ConfigObject<K> }[ConfigKind];

export type VirtualService = ConfigObject<"VirtualService">;
export type DestinationRule = ConfigObject<"DestinationRule">;
export type Gateway = ConfigObject<"Gateway">;
export type ServiceEntry = ConfigObject<"ServiceEntry">;
export type Sidecar = ConfigObject<"Sidecar">;
export type WorkloadEntry = ConfigObject<"WorkloadEntry">;
export type EnvoyFilter = ConfigObject<"EnvoyFilter">;
export type Telemetry = ConfigObject<"Telemetry">;

export interface ServicePort {
  readonly number: number;
  readonly name: string;
  readonly protocol: Protocol;
  /** Where the workload listens, a number or the name of a container's port. */
  readonly targetPort: number | string;
}

/**
 * How the addresses behind a service are found: told by discovery, by DNS (all answers, or the
 * first), by DNS for the name that each request asks for, by where the connection was going anyway,
 * or by being another name of a service.
 */
export type Resolution =
  "discovery" | "dns" | "dns-first" | "dns-on-request" | "original" | "alias";

/** A service that can be called, from a Kubernetes Service or one host of a ServiceEntry. */
export interface Service {
  readonly kind: "Service";
  /** Unique for the pair of source object and host. */
  readonly key: ObjectKey;
  /** The object that it comes from: `Service/ns/name`, `ServiceEntry/ns/name`. */
  readonly source: ObjectKey;
  readonly host: Hostname;
  readonly name: string;
  readonly namespace: string;
  readonly creationTimestamp: string;
  readonly labels: Labels;
  readonly ports: readonly ServicePort[];
  /** Virtual IPs and CIDRs; empty for headless services and names without an address. */
  readonly addresses: readonly string[];
  /** Addresses that stand for one that has none, where clients' DNS tells them so. */
  readonly allocated?: readonly string[];
  readonly resolution: Resolution;
  /** Outside the mesh: no identity is expected there. */
  readonly external: boolean;
  /** Kubernetes' headless: no address of its own, each endpoint is called by its own. */
  readonly headless: boolean;
  /** Endpoints of the client's own zone, or node, are preferred while they are healthy. */
  readonly prefers?: "zone" | "node";
  /** Only endpoints on the client's own node are called. */
  readonly nodeLocal?: boolean;
  /** The service that an alias (ExternalName) stands for. */
  readonly aliasOf?: Hostname;
  /** Workloads of the same namespace that back it. */
  readonly selector?: Labels;
  /** As written (`.`, `*`, `~`, namespaces); empty takes the mesh's default. */
  readonly exportTo: readonly string[];
  /** The cluster that it is in, unless it is the one that configuration comes from. */
  readonly cluster?: string;
  readonly subjectAltNames: readonly string[];
}

export interface Locality {
  readonly region: string;
  readonly zone: string;
  readonly subZone: string;
}

/** `terminating` ends without serving any more; `draining` still does. */
export type Health = "healthy" | "unhealthy" | "draining" | "terminating";

export interface Endpoint {
  /**
   * IP address, `unix://PATH` or, for services resolved by DNS, a name; empty where only the
   * gateways of its network are known.
   */
  readonly address: string;
  /** Port name → number where the endpoint listens. */
  readonly ports: Readonly<Record<string, number>>;
  readonly health: Health;
  readonly labels: Labels;
  readonly locality: Locality;
  /** The machine that it runs on, where the platform says. */
  readonly node?: string;
  readonly network: string;
  /** As a Service's. */
  readonly cluster?: string;
  readonly weight: number;
  readonly serviceAccount: string;
  /** The peer speaks the mesh's TLS (pod label `security.istio.io/tlsMode: istio`). */
  readonly meshTls: boolean;
  /** It is a gateway of that network, and what is behind it is called through it. */
  readonly gatewayOf?: string;
  /** Name of the workload and its namespace, for metadata. */
  readonly workload: string;
  readonly namespace: string;
}

/** Endpoints that one source (an EndpointSlice, a ServiceEntry) contributes to a host. */
export interface EndpointSet {
  readonly kind: "EndpointSet";
  readonly key: ObjectKey;
  readonly source: ObjectKey;
  readonly host: Hostname;
  /** Namespace of the service. */
  readonly namespace: string;
  readonly endpoints: readonly Endpoint[];
}

/** Something that runs a proxy or is selected by services: a Pod or a WorkloadEntry. */
export interface Workload {
  readonly kind: "Workload";
  readonly key: ObjectKey;
  readonly source: ObjectKey;
  readonly name: string;
  readonly namespace: string;
  readonly labels: Labels;
  readonly addresses: readonly string[];
  readonly serviceAccount: string;
  readonly locality: Locality;
  readonly node?: string;
  readonly network: string;
  /** As a Service's. */
  readonly cluster?: string;
  /** Named container ports → number; of a WorkloadEntry, by the name of the service's port. */
  readonly ports: Readonly<Record<string, number>>;
  /** It speaks the mesh's TLS. */
  readonly meshTls: boolean;
  readonly weight: number;
  readonly health: Health;
}

/** A way into a network from the others: it forwards TLS by server name (AUTO_PASSTHROUGH). */
export interface NetworkGateway {
  readonly network: string;
  /** Where it is the gateway of one cluster's part of the network. */
  readonly cluster: string | undefined;
  /** IP address or name. */
  readonly address: string;
  readonly port: number;
}

/** The gateways that one source (a Service, the settings of networks) contributes. */
export interface NetworkGateways {
  readonly kind: "NetworkGateways";
  readonly key: ObjectKey;
  readonly source: ObjectKey;
  readonly gateways: readonly NetworkGateway[];
}

export interface NamespaceInfo {
  readonly kind: "Namespace";
  readonly key: ObjectKey;
  readonly name: string;
  readonly labels: Labels;
}

/** The mesh's settings as an object of the world, so that they change as everything else does. */
export interface MeshSettings {
  readonly kind: "MeshConfig";
  readonly key: ObjectKey;
  readonly mesh: MeshConfig;
}

export type ModelObject =
  | AnyConfigObject
  | Service
  | EndpointSet
  | Workload
  | NetworkGateways
  | NamespaceInfo
  | MeshSettings
  | Credential;

export const NO_LOCALITY: Locality = { region: "", zone: "", subZone: "" };

/** Oldest first; equal ages by name, then namespace, so that every order is total. */
export function compareAge(
  left: { creationTimestamp: string; name: string; namespace: string },
  right: { creationTimestamp: string; name: string; namespace: string },
): number {
  return (
    compareText(left.creationTimestamp, right.creationTimestamp) ||
    compareText(left.name, right.name) ||
    compareText(left.namespace, right.namespace)
  );
}

/** By code units: the same on every machine, unlike `localeCompare`. */
export function compareText(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}
