/** A ServiceEntry as services and endpoints: one service a host. */

import { hostname, objectKey } from "#pilot/model/name.ts";
import { canonicalCidr } from "#pilot/model/cidr.ts";
import { isWildcard } from "#pilot/model/host.ts";
import { matchesAll } from "#pilot/model/labels.ts";
import {
  type Endpoint,
  type EndpointSet,
  type Locality,
  NO_LOCALITY,
  type Resolution,
  type Service,
  type ServiceEntry,
  type ServicePort,
  type Workload,
} from "#pilot/model/object.ts";
import { parseProtocol } from "#pilot/model/protocol.ts";
import type { WorkloadEntry } from "#crds/types/networking-v1.ts";

const TLS_MODE = "security.istio.io/tlsMode";

/** The services that a ServiceEntry declares, in the order of its hosts. */
export function convertServiceEntry(entry: ServiceEntry): Service[] {
  const { spec } = entry;
  const hosts = [...new Set((spec.hosts ?? []).map(hostname))];
  const addresses = (spec.addresses ?? []).filter(
    (address) => canonicalCidr(address) !== undefined,
  );
  return hosts.map((host) => ({
    kind: "Service",
    key: objectKey("Service", entry.namespace, `${entry.name}/${host}`),
    source: entry.key,
    host,
    name: host,
    namespace: entry.namespace,
    creationTimestamp: entry.creationTimestamp,
    labels: entry.labels,
    ports: portsOf(entry),
    addresses,
    resolution: resolutionOf(entry),
    external: spec.location !== "MESH_INTERNAL",
    headless: false,
    exportTo: spec.exportTo ?? [],
    subjectAltNames: spec.subjectAltNames ?? [],
  }));
}

function portsOf(entry: ServiceEntry): ServicePort[] {
  return (entry.spec.ports ?? []).map((port) => ({
    number: port.number,
    name: port.name,
    protocol: parseProtocol(port.protocol),
    targetPort: port.targetPort ?? port.number,
  }));
}

function resolutionOf(entry: ServiceEntry): Resolution {
  switch (entry.spec.resolution) {
    case "STATIC":
      return "discovery";
    case "DNS":
      return "dns";
    case "DNS_ROUND_ROBIN":
      return "dns-first";
    case "NONE":
    case "DYNAMIC_DNS":
    case undefined:
      return "original";
  }
}

/**
 * The endpoints of each host: those written in the entry, or the workloads that it selects, or,
 * with DNS and none of either, the host itself.
 */
export function endpointsOfServiceEntry(
  entry: ServiceEntry,
  workloads: Iterable<Workload>,
): EndpointSet[] {
  const services = convertServiceEntry(entry);
  const ports = portsOf(entry);
  const selector = entry.spec.workloadSelector;
  return services.map((service) => ({
    kind: "EndpointSet",
    key: objectKey("EndpointSet", entry.namespace, `entry/${entry.name}/${service.host}`),
    source: entry.key,
    host: service.host,
    namespace: entry.namespace,
    endpoints:
      selector === undefined
        ? writtenEndpoints(entry, service, ports)
        : selectedEndpoints(entry.namespace, selector.labels ?? {}, workloads, ports),
  }));
}

function writtenEndpoints(
  entry: ServiceEntry,
  service: Service,
  ports: readonly ServicePort[],
): Endpoint[] {
  const written = (entry.spec.endpoints ?? []).filter(
    (endpoint) => (endpoint.address ?? "") !== "" && !endpoint.address?.startsWith("unix://"),
  );
  if (written.length > 0) {
    return written.map((endpoint) => fromWorkloadEntry(endpoint, entry, ports));
  }
  const byName = service.resolution === "dns" || service.resolution === "dns-first";
  if (!byName || isWildcard(service.host)) return [];
  return [fromWorkloadEntry({ address: service.host }, entry, ports, (port) => port.number)];
}

function fromWorkloadEntry(
  endpoint: WorkloadEntry,
  entry: ServiceEntry,
  ports: readonly ServicePort[],
  defaultPort: (port: ServicePort) => number = (port) =>
    typeof port.targetPort === "number" ? port.targetPort : port.number,
): Endpoint {
  const own = endpoint.ports ?? {};
  const labels = endpoint.labels ?? {};
  return {
    address: endpoint.address ?? "",
    ports: Object.fromEntries(
      ports.map((port) => [
        port.name,
        (Object.hasOwn(own, port.name) ? own[port.name] : undefined) ?? defaultPort(port),
      ]),
    ),
    health: "healthy",
    labels,
    locality: parseLocality(endpoint.locality),
    network: endpoint.network ?? "",
    weight: endpoint.weight === undefined || endpoint.weight === 0 ? 1 : endpoint.weight,
    serviceAccount: endpoint.serviceAccount ?? "",
    meshTls: labels[TLS_MODE] === "istio",
    workload: entry.name,
    namespace: entry.namespace,
  };
}

function selectedEndpoints(
  namespace: string,
  selector: Readonly<Record<string, string>>,
  workloads: Iterable<Workload>,
  ports: readonly ServicePort[],
): Endpoint[] {
  const endpoints: Endpoint[] = [];
  for (const workload of workloads) {
    if (workload.namespace !== namespace || !matchesAll(selector, workload.labels)) continue;
    for (const address of workload.addresses) {
      endpoints.push({
        address,
        ports: Object.fromEntries(
          ports.map((port) => [
            port.name,
            (Object.hasOwn(workload.ports, port.name) ? workload.ports[port.name] : undefined) ??
              (typeof port.targetPort === "number" ? port.targetPort : port.number),
          ]),
        ),
        health: "healthy",
        labels: workload.labels,
        locality: workload.locality,
        network: workload.network,
        weight: 1,
        serviceAccount: workload.serviceAccount,
        meshTls: workload.labels[TLS_MODE] === "istio",
        workload: workload.name,
        namespace,
      });
    }
  }
  return endpoints.toSorted((left, right) => (left.address < right.address ? -1 : 1));
}

/** `region/zone/subzone`. */
function parseLocality(text: string | undefined): Locality {
  if (text === undefined || text === "") return NO_LOCALITY;
  const [region = "", zone = "", subZone = ""] = text.split("/");
  return { region, zone, subZone };
}
