/** A ServiceEntry as services and endpoints: one service a host. */

import { isIP } from "node:net";
import type { WorkloadEntry as WorkloadEntrySpec } from "#crds/types/networking-v1.ts";
import { canonicalCidr } from "#pilot/model/cidr.ts";
import { isWildcard } from "#pilot/model/host.ts";
import { type Hostname, hostname, objectKey } from "#pilot/model/name.ts";
import {
  type Endpoint,
  type EndpointSet,
  type Resolution,
  type Service,
  type ServiceEntry,
  type ServicePort,
  type Workload,
} from "#pilot/model/object.ts";
import type { Problem } from "#pilot/model/problem.ts";
import { parseProtocol } from "#pilot/model/protocol.ts";
import {
  type NetworkOf,
  localityOfEntry,
  networkOfEntry,
  speaksMeshTls,
  weightOf,
} from "./workload-entry.ts";

const AUTO_ALLOCATE = "networking.istio.io/enable-autoallocate-ip";
const UNIX = "unix://";

/** Addresses that the status of a ServiceEntry gives to its hosts. */
export type AllocatedAddresses = ReadonlyMap<Hostname, readonly string[]>;

/** The services that a ServiceEntry declares, in the order of its hosts. */
export function convertServiceEntry(
  entry: ServiceEntry,
  allocated: AllocatedAddresses = new Map(),
): Service[] {
  const { spec } = entry;
  const written = (spec.addresses ?? []).map(singleAddress).filter((one) => one !== undefined);
  const wantsAllocated = takesAllocatedAddresses(entry);
  return hostsOf(entry).map((host) => ({
    kind: "Service",
    key: objectKey("Service", entry.namespace, `${entry.name}/${host}`),
    source: entry.key,
    host,
    name: host,
    namespace: entry.namespace,
    creationTimestamp: entry.creationTimestamp,
    labels: entry.labels,
    ports: portsOf(entry),
    addresses: written,
    ...(wantsAllocated && !isItsOwnName(entry, host) ? someOf(allocated.get(host)) : {}),
    resolution: resolutionOf(entry),
    external: spec.location !== "MESH_INTERNAL",
    headless: false,
    exportTo: spec.exportTo ?? [],
    subjectAltNames: spec.subjectAltNames ?? [],
  }));
}

function someOf(allocated: readonly string[] = []): { allocated?: readonly string[] } {
  return allocated.length === 0 ? {} : { allocated };
}

/**
 * Whether proxies look the host up by its own name. An allocated address isn't told for such hosts:
 * proxies would be led to themselves (`cluster/dns/entry.ts` has the same rule).
 */
function isItsOwnName({ spec }: ServiceEntry, host: Hostname): boolean {
  if (spec.resolution === "DYNAMIC_DNS") return true;
  if (spec.resolution !== "DNS" && spec.resolution !== "DNS_ROUND_ROBIN") return false;
  if (spec.workloadSelector !== undefined) return false;
  const addresses = (spec.endpoints ?? []).map((endpoint) => hostname(endpoint.address ?? ""));
  return addresses.length === 0 || addresses.includes(host);
}

function hostsOf(entry: ServiceEntry): Hostname[] {
  return [...new Set((entry.spec.hosts ?? []).map(hostname))];
}

/** A range of one address is that address. */
function singleAddress(text: string): string | undefined {
  if (canonicalCidr(text) === undefined) return undefined;
  const [address = "", length] = text.split("/");
  return length === (isIP(address) === 4 ? "32" : "128") ? address : text;
}

/**
 * Whether hosts get addresses by allocation (Istio, "ServiceEntry: automatic address allocation"):
 * not where there are some already, and not where connections go where they were going anyway.
 */
export function takesAllocatedAddresses(entry: {
  readonly labels: Readonly<Record<string, string>>;
  readonly spec: ServiceEntry["spec"];
}): boolean {
  const { spec, labels } = entry;
  if (spec.resolution === undefined || spec.resolution === "NONE") return false;
  if ((spec.addresses ?? []).length > 0) return false;
  return labels[AUTO_ALLOCATE]?.toLowerCase() !== "false";
}

/** `status.addresses`, which is whatever somebody has written there. */
export function allocatedAddressesOf(status: unknown): AllocatedAddresses {
  const found = new Map<Hostname, string[]>();
  if (typeof status !== "object" || status === null || !("addresses" in status)) return found;
  const { addresses } = status;
  if (!Array.isArray(addresses)) return found;
  for (const one of addresses as unknown[]) {
    if (typeof one !== "object" || one === null || !("host" in one) || !("value" in one)) continue;
    const { host, value } = one;
    if (typeof host !== "string" || typeof value !== "string" || isIP(value) === 0) continue;
    found.set(hostname(host), [...(found.get(hostname(host)) ?? []), value]);
  }
  return found;
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
    case "DYNAMIC_DNS":
      return "dns-on-request";
    case "NONE":
    case undefined:
      return "original";
  }
}

/** What an entry says that can't be as it stands; the rest of it counts. */
export function problemsOfServiceEntry(entry: ServiceEntry): Problem[] {
  const problems: Problem[] = [];
  const warn = (path: string, reason: string, message: string): void => {
    problems.push({ object: entry.key, path, severity: "warning", reason, message });
  };
  for (const [at, address] of (entry.spec.addresses ?? []).entries()) {
    if (canonicalCidr(address) !== undefined) continue;
    warn(`spec.addresses[${at}]`, "InvalidAddress", `${address} is neither an address nor a range`);
  }
  const isStatic = entry.spec.resolution === "STATIC";
  for (const [at, { address = "" }] of (entry.spec.endpoints ?? []).entries()) {
    const isName = address !== "" && !address.startsWith(UNIX) && isIP(address) === 0;
    if (!isStatic || !isName) continue;
    const path = `spec.endpoints[${at}].address`;
    warn(path, "InvalidAddress", `${address} is a name, which only resolution DNS looks up`);
  }
  return problems;
}

/**
 * The endpoints of each host: those written in the entry, or the workloads that it selects, or,
 * with DNS and none of either, the host itself.
 */
export function endpointsOfServiceEntry(
  entry: ServiceEntry,
  selected: readonly Workload[],
  network: NetworkOf,
): EndpointSet[] {
  const ports = portsOf(entry);
  const resolution = resolutionOf(entry);
  const byName = isLookedUp(resolution);
  const written = (entry.spec.endpoints ?? [])
    .map((endpoint, at) => ({ endpoint, name: `${entry.name}-${at}` }))
    .filter(({ endpoint: { address = "" } }) => {
      const plain = address === "" || address.startsWith(UNIX) || isIP(address) !== 0;
      return plain || byName;
    })
    .map(({ endpoint, name }) => writtenEndpoint(endpoint, name, { entry, ports, network }));
  return hostsOf(entry).map((host) => ({
    kind: "EndpointSet",
    key: objectKey("EndpointSet", entry.namespace, `entry/${entry.name}/${host}`),
    source: entry.key,
    host,
    namespace: entry.namespace,
    endpoints:
      entry.spec.workloadSelector !== undefined
        ? selected.flatMap((workload) => selectedEndpoints(workload, ports))
        : written.length > 0 || !byName || isWildcard(host)
          ? written
          : [writtenEndpoint({ address: host }, entry.name, { entry, ports, network })],
  }));
}

/** Workloads without an address of their own kind are only found where names are looked up. */
export function isLookedUp(resolution: Resolution): boolean {
  return resolution === "dns" || resolution === "dns-first";
}

export function resolvesNames(entry: ServiceEntry): boolean {
  return isLookedUp(resolutionOf(entry));
}

/** A port of its own name, else the target port, else the service's port. */
function portNumbers(
  ports: readonly ServicePort[],
  own: Readonly<Record<string, number>>,
): Record<string, number> {
  return Object.fromEntries(
    ports.map((port) => [
      port.name,
      (Object.hasOwn(own, port.name) ? own[port.name] : undefined) ??
        (typeof port.targetPort === "number" ? port.targetPort : port.number),
    ]),
  );
}

function writtenEndpoint(
  endpoint: WorkloadEntrySpec,
  name: string,
  on: {
    readonly entry: ServiceEntry;
    readonly ports: readonly ServicePort[];
    readonly network: NetworkOf;
  },
): Endpoint {
  const labels = endpoint.labels ?? {};
  return {
    address: endpoint.address ?? "",
    ports: portNumbers(on.ports, endpoint.ports ?? {}),
    health: "healthy",
    labels,
    locality: localityOfEntry(endpoint.locality, labels),
    network: networkOfEntry(endpoint, labels, on.network),
    weight: weightOf(endpoint),
    serviceAccount: endpoint.serviceAccount ?? "",
    meshTls: speaksMeshTls(endpoint, labels),
    workload: name,
    namespace: on.entry.namespace,
  };
}

/** One endpoint an address; a workload without one may be reached by its network's gateways. */
function selectedEndpoints(workload: Workload, ports: readonly ServicePort[]): Endpoint[] {
  const addresses = workload.addresses.length === 0 ? [""] : workload.addresses;
  return addresses.map((address) => ({
    ...endpointOfWorkload(workload, address),
    ports: portNumbers(ports, workload.ports),
  }));
}

/** All of an endpoint that its workload decides; the ports are the service's affair. */
export function endpointOfWorkload(workload: Workload, address: string): Omit<Endpoint, "ports"> {
  const { labels, locality, network, weight, serviceAccount, meshTls, health } = workload;
  return {
    address,
    health,
    labels,
    locality,
    ...(workload.node === undefined ? {} : { node: workload.node }),
    network,
    ...(workload.cluster === undefined ? {} : { cluster: workload.cluster }),
    weight,
    serviceAccount,
    meshTls,
    workload: workload.name,
    namespace: workload.namespace,
  };
}
