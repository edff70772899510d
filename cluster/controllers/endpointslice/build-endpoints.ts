/** A Service's endpoints as its pods are right now. */

import type { Node, Pod, Service } from "#cluster/api/generated/core-v1.ts";
import type { Endpoint, EndpointPort } from "#cluster/api/generated/discovery-v1.ts";
import { isPodReady, isPodTerminal, targetPortOf } from "#cluster/api/pod.ts";
import { hostnameIn } from "#cluster/api/service.ts";

export type AddressType = "IPv4" | "IPv6";

/** Endpoints that share their ports, which is what a slice holds. */
export interface EndpointGroup {
  addressType: AddressType;
  ports: EndpointPort[];
  endpoints: Endpoint[];
}

export interface EndpointsInput {
  service: Service;
  /** The pods that it selects. */
  pods: readonly Pod[];
  nodeOf: (name: string) => Node | undefined;
}

/** Sorted by ports, and within a group by address; pods without an address aren't there yet. */
export function buildEndpoints({ service, pods, nodeOf }: EndpointsInput): EndpointGroup[] {
  const groups = new Map<string, EndpointGroup>();
  for (const addressType of addressTypesOf(service)) {
    for (const pod of pods) {
      const address = isPodTerminal(pod) ? undefined : addressOf(pod, addressType);
      if (address === undefined) continue;
      const ports = portsOf(service, pod);
      const key = groupKey(addressType, ports);
      const group = groups.get(key) ?? { addressType, ports, endpoints: [] };
      group.endpoints.push(buildEndpoint({ service, pod, address }, nodeOf));
      groups.set(key, group);
    }
  }
  const sorted = [...groups].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, group]) => group);
  for (const group of sorted) group.endpoints.sort(byAddress);
  return sorted;
}

/** Equal for slices that may hold the same endpoints. */
export function groupKey(addressType: string, ports: readonly EndpointPort[]): string {
  const parts = ports.map(({ name = "", protocol = "TCP", port, appProtocol = "" }) =>
    JSON.stringify([name, protocol, port ?? null, appProtocol]),
  );
  return `${addressType} ${parts.toSorted().join(" ")}`;
}

function addressTypesOf(service: Service): AddressType[] {
  const families = service.spec?.ipFamilies ?? [];
  const types = families.filter((family) => family === "IPv4" || family === "IPv6");
  return types.length === 0 ? ["IPv4"] : types;
}

function addressOf(pod: Pod, addressType: AddressType): string | undefined {
  const { podIP, podIPs } = pod.status ?? {};
  const addresses = podIPs?.map(({ ip }) => ip) ?? [podIP];
  return addresses.find(
    (address) =>
      address !== undefined && address !== "" && address.includes(":") === (addressType === "IPv6"),
  );
}

function buildEndpoint(
  { service, pod, address }: { service: Service; pod: Pod; address: string },
  nodeOf: (name: string) => Node | undefined,
): Endpoint {
  const serving = isPodReady(pod);
  const terminating = pod.metadata.deletionTimestamp !== undefined;
  const nodeName = pod.spec?.nodeName;
  const hostname = hostnameIn(service, pod);
  const zone =
    nodeName === undefined
      ? undefined
      : nodeOf(nodeName)?.metadata.labels?.["topology.kubernetes.io/zone"];
  const isPublished = service.spec?.publishNotReadyAddresses === true;
  const { namespace, name, uid } = pod.metadata;
  return {
    addresses: [address],
    conditions: { ready: isPublished || (serving && !terminating), serving, terminating },
    ...(hostname === undefined ? {} : { hostname }),
    ...(nodeName === undefined ? {} : { nodeName }),
    ...(zone === undefined ? {} : { zone }),
    targetRef: { kind: "Pod", namespace, name, uid },
  };
}

/** Ports whose name no container of the pod has are left out for this pod. */
function portsOf(service: Service, pod: Pod): EndpointPort[] {
  return (service.spec?.ports ?? []).flatMap((port) => {
    const number = targetPortOf(port, pod);
    if (number === undefined) return [];
    const { name = "", protocol = "TCP", appProtocol } = port;
    const base = { name, protocol, port: number };
    return [appProtocol === undefined ? base : { ...base, appProtocol }];
  });
}

function byAddress(a: Endpoint, b: Endpoint): number {
  const left = a.addresses[0] ?? "";
  const right = b.addresses[0] ?? "";
  if (left !== right) return left < right ? -1 : 1;
  return (a.targetRef?.name ?? "") < (b.targetRef?.name ?? "") ? -1 : 1;
}
