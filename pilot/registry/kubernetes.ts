/** Kubernetes objects as nouns of the mesh: pure conversions, one function a kind. */

import type { KubeObject } from "#cluster/api/meta.ts";
import type * as core from "#cluster/api/generated/core-v1.ts";
import type * as discovery from "#cluster/api/generated/discovery-v1.ts";
import { hostname, objectKey, serviceHost } from "#pilot/model/name.ts";
import {
  type Endpoint,
  type EndpointSet,
  type Health,
  type Labels,
  type Locality,
  NO_LOCALITY,
  type NamespaceInfo,
  type Service,
  type Workload,
} from "#pilot/model/object.ts";
import { protocolOfPort } from "#pilot/model/protocol.ts";

const EXPORT_TO = "networking.istio.io/exportTo";
const SERVICE_NAME = "kubernetes.io/service-name";
const TRAFFIC_DISTRIBUTION = "networking.istio.io/traffic-distribution";
const TLS_MODE = "security.istio.io/tlsMode";

/** A Service as something that can be called. */
export function convertService(object: core.Service, clusterDomain: string): Service {
  const { name, namespace = "default", labels = {}, annotations = {} } = object.metadata;
  const spec = object.spec ?? {};
  const isAlias = spec.type === "ExternalName";
  const headless = spec.clusterIP === "None";
  const prefers = preference(spec.trafficDistribution ?? annotations[TRAFFIC_DISTRIBUTION]);
  const source = objectKey("Service", namespace, name);
  return {
    kind: "Service",
    key: source,
    source,
    host: serviceHost(name, namespace, clusterDomain),
    name,
    namespace,
    creationTimestamp: object.metadata.creationTimestamp ?? "",
    labels,
    ports: (spec.ports ?? []).map((port) => ({
      number: port.port,
      name: port.name ?? "",
      protocol: protocolOfPort({
        port: port.port,
        name: port.name,
        appProtocol: port.appProtocol,
        transport: port.protocol,
      }),
      targetPort: port.targetPort ?? port.port,
    })),
    addresses: addressesOf(spec),
    resolution: isAlias ? "alias" : headless ? "original" : "discovery",
    external: isAlias,
    headless,
    ...(prefers === undefined ? {} : { prefers }),
    ...(spec.internalTrafficPolicy === "Local" ? { nodeLocal: true } : {}),
    ...(isAlias ? { aliasOf: hostname(spec.externalName ?? "") } : {}),
    ...(spec.selector === undefined ? {} : { selector: spec.selector }),
    exportTo: splitList(annotations[EXPORT_TO]),
    subjectAltNames: [],
  };
}

/** `spec.trafficDistribution`, or Istio's older annotation, in any case. */
function preference(value: string | undefined): Service["prefers"] {
  switch ((value ?? "").toLowerCase()) {
    case "preferclose":
    case "prefersamezone":
      return "zone";
    case "prefersamenode":
      return "node";
    default:
      return undefined;
  }
}

function addressesOf(spec: core.ServiceSpec): string[] {
  const all = spec.clusterIPs ?? (spec.clusterIP === undefined ? [] : [spec.clusterIP]);
  return [...new Set(all)].filter((address) => address !== "" && address !== "None");
}

function splitList(text: string | undefined): string[] {
  return (text ?? "")
    .split(",")
    .map((entry) => entry.trim())
    .filter((entry) => entry !== "");
}

/** A Pod that has addresses, as something that may back services and run a proxy. */
export function convertPod(pod: core.Pod, node: core.Node | undefined): Workload | undefined {
  const addresses = (pod.status?.podIPs ?? []).map((entry) => entry.ip ?? "");
  if (addresses.length === 0 && pod.status?.podIP !== undefined) addresses.push(pod.status.podIP);
  const known = addresses.filter((address) => address !== "");
  const phase = pod.status?.phase;
  if (known.length === 0 || phase === "Succeeded" || phase === "Failed") return undefined;
  const { name, namespace = "default", labels = {} } = pod.metadata;
  const source = objectKey("Pod", namespace, name);
  return {
    kind: "Workload",
    key: objectKey("Workload", namespace, `pod/${name}`),
    source,
    name: workloadName(pod),
    namespace,
    labels,
    addresses: known,
    serviceAccount: pod.spec?.serviceAccountName ?? "",
    locality: localityOf(labels, node),
    ...nodeField(pod.spec?.nodeName),
    network: labels["topology.istio.io/network"] ?? "",
    ports: namedPorts(pod),
    meshTls: labels[TLS_MODE] === "istio",
    weight: 1,
    health: podHealth(pod),
  };
}

/** For those who select pods themselves; a Service's EndpointSlices have conditions of their own. */
function podHealth(pod: core.Pod): Health {
  if (pod.metadata.deletionTimestamp !== undefined) return "terminating";
  const ready = (pod.status?.conditions ?? []).find((condition) => condition.type === "Ready");
  return ready === undefined || ready.status === "True" ? "healthy" : "unhealthy";
}

function nodeField(name: string | undefined): { node?: string } {
  return name === undefined || name === "" ? {} : { node: name };
}

/** The Deployment's name of a pod that one owns, the owner's name otherwise. */
function workloadName(pod: core.Pod): string {
  const owner = (pod.metadata.ownerReferences ?? []).find((reference) => reference.controller);
  if (owner === undefined) return pod.metadata.name;
  const hash = pod.metadata.labels?.["pod-template-hash"];
  return hash !== undefined && owner.name.endsWith(`-${hash}`)
    ? owner.name.slice(0, -hash.length - 1)
    : owner.name;
}

function namedPorts(pod: core.Pod): Record<string, number> {
  const ports = new Map<string, number>();
  const containers = [...(pod.spec?.containers ?? []), ...(pod.spec?.initContainers ?? [])];
  for (const container of containers) {
    for (const port of container.ports ?? []) {
      if (port.name !== undefined && port.name !== "") ports.set(port.name, port.containerPort);
    }
  }
  return Object.fromEntries(ports);
}

/** The pod's label `istio-locality` (`region.zone.subzone`), else its node's topology labels. */
function localityOf(labels: Labels, node: core.Node | undefined): Locality {
  const own = labels["istio-locality"];
  if (own !== undefined && own !== "") {
    const [region = "", zone = "", subZone = ""] = own.split(".");
    return { region, zone, subZone };
  }
  const topology = node?.metadata.labels ?? {};
  return {
    region: topology["topology.kubernetes.io/region"] ?? "",
    zone: topology["topology.kubernetes.io/zone"] ?? "",
    subZone: topology["topology.istio.io/subzone"] ?? "",
  };
}

/** Finds the workload behind an endpoint. */
export type FindWorkload = (
  namespace: string,
  pod: string,
  address: string,
) => Workload | undefined;

/** An EndpointSlice of a Service; undefined where it names none. */
export function convertEndpointSlice(
  slice: discovery.EndpointSlice,
  findWorkload: FindWorkload,
  clusterDomain: string,
): EndpointSet | undefined {
  const { name, namespace = "default", labels = {} } = slice.metadata;
  const service = labels[SERVICE_NAME];
  if (service === undefined || slice.addressType === "FQDN") return undefined;
  const ports = Object.fromEntries(
    (slice.ports ?? [])
      .filter((port) => port.port !== undefined)
      .map((port): [string, number] => [port.name ?? "", port.port ?? 0]),
  );
  const source = objectKey("EndpointSlice", namespace, name);
  return {
    kind: "EndpointSet",
    key: objectKey("EndpointSet", namespace, `slice/${name}`),
    source,
    host: serviceHost(service, namespace, clusterDomain),
    namespace,
    endpoints: (slice.endpoints ?? []).flatMap((endpoint) =>
      endpoint.addresses.map((address) =>
        convertEndpoint(endpoint, address, {
          ports,
          workload: findWorkload(
            endpoint.targetRef?.namespace ?? namespace,
            endpoint.targetRef?.kind === "Pod" ? (endpoint.targetRef.name ?? "") : "",
            address,
          ),
          namespace,
        }),
      ),
    ),
  };
}

function convertEndpoint(
  endpoint: discovery.Endpoint,
  address: string,
  rest: { ports: Record<string, number>; workload: Workload | undefined; namespace: string },
): Endpoint {
  const { workload } = rest;
  const labels = workload?.labels ?? {};
  const zone = endpoint.zone ?? "";
  const locality = workload?.locality ?? NO_LOCALITY;
  return {
    address,
    ports: rest.ports,
    health: healthOf(endpoint.conditions ?? {}),
    labels,
    locality: locality.zone === "" && zone !== "" ? { ...locality, zone } : locality,
    ...nodeField(endpoint.nodeName ?? workload?.node),
    network: workload?.network ?? "",
    weight: 1,
    serviceAccount: workload?.serviceAccount ?? "",
    meshTls: labels[TLS_MODE] === "istio",
    workload: workload?.name ?? "",
    namespace: workload?.namespace ?? rest.namespace,
  };
}

/**
 * discovery/v1: unknown conditions count as ready; a terminating endpoint that serves is drained.
 */
function healthOf(conditions: discovery.EndpointConditions): Health {
  if (conditions.ready !== false) return "healthy";
  if (conditions.terminating !== true) return "unhealthy";
  return conditions.serving === true ? "draining" : "terminating";
}

export function convertNamespace(object: KubeObject): NamespaceInfo {
  const { name, labels = {} } = object.metadata;
  return { kind: "Namespace", key: objectKey("Namespace", "", name), name, labels };
}
