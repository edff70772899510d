/** The EndpointSlices that say what Endpoints kept by hand say. */

import type { EndpointAddress, EndpointSubset, Endpoints } from "#cluster/api/generated/core-v1.ts";
import type { Endpoint, EndpointSlice } from "#cluster/api/generated/discovery-v1.ts";
import type { Creatable } from "#cluster/api/meta.ts";
import { controllerReference } from "#cluster/api/owner-reference.ts";
import { ENDPOINTS } from "#cluster/api/resources.ts";

export const SERVICE_NAME_LABEL = "kubernetes.io/service-name";
export const MANAGED_BY_LABEL = "endpointslice.kubernetes.io/managed-by";
export const MANAGER = "endpointslicemirroring-controller.k8s.io";
export const SKIP_LABEL = "endpointslice.kubernetes.io/skip-mirror";

/** Kubernetes' default of `--mirroring-max-endpoints-per-subset`. */
const MAX_ADDRESSES = 1_000;

export interface MirrorPlan {
  create: Creatable<EndpointSlice>[];
  update: EndpointSlice[];
  remove: EndpointSlice[];
}

/** The fewest writes; a slice goes on for the ports that it has. */
export function planMirror(endpoints: Endpoints, existing: readonly EndpointSlice[]): MirrorPlan {
  const plan: MirrorPlan = { create: [], update: [], remove: [] };
  const left = new Set(existing);
  for (const wanted of mirroredSlices(endpoints)) {
    const present = existing.find((slice) => left.has(slice) && isForSamePorts(slice, wanted));
    if (present === undefined) {
      plan.create.push(wanted);
      continue;
    }
    left.delete(present);
    const { labels } = wanted.metadata;
    const isSame =
      canonical(present.endpoints ?? []) === canonical(wanted.endpoints) &&
      canonical(present.metadata.labels) === canonical(labels);
    if (isSame) continue;
    const metadata = { ...present.metadata, labels };
    plan.update.push({ ...present, metadata, endpoints: wanted.endpoints });
  }
  plan.remove.push(...left);
  return plan;
}

/** One slice a subset and address family. */
function mirroredSlices(endpoints: Endpoints): Creatable<EndpointSlice>[] {
  const { name, namespace } = endpoints.metadata;
  const labels = {
    ...endpoints.metadata.labels,
    [SERVICE_NAME_LABEL]: name,
    [MANAGED_BY_LABEL]: MANAGER,
  };
  const ownerReferences = [controllerReference(ENDPOINTS, endpoints)];
  return (endpoints.subsets ?? []).flatMap((subset) => {
    const members = endpointsOf(subset);
    return (["IPv4", "IPv6"] as const).flatMap((addressType) => {
      const own = members.filter(
        ({ addresses: [address = ""] }) => address.includes(":") === (addressType === "IPv6"),
      );
      if (own.length === 0) return [];
      const metadata = { namespace, generateName: `${name}-`, labels, ownerReferences };
      return [{ metadata, addressType, ports: portsOf(subset), endpoints: own }];
    });
  });
}

function endpointsOf({ addresses = [], notReadyAddresses = [] }: EndpointSubset): Endpoint[] {
  return [
    ...addresses.map((address) => endpointOf(address, true)),
    ...notReadyAddresses.map((address) => endpointOf(address, false)),
  ].slice(0, MAX_ADDRESSES);
}

function endpointOf(address: EndpointAddress, ready: boolean): Endpoint {
  const { ip, hostname, nodeName, targetRef } = address;
  return {
    addresses: [ip ?? ""],
    conditions: { ready },
    ...(hostname === undefined ? {} : { hostname }),
    ...(nodeName === undefined ? {} : { nodeName }),
    ...(targetRef === undefined ? {} : { targetRef }),
  };
}

function portsOf({ ports = [] }: EndpointSubset): EndpointSlice["ports"] {
  return ports.map(({ name = "", protocol = "TCP", port, appProtocol }) => ({
    name,
    protocol,
    port,
    ...(appProtocol === undefined ? {} : { appProtocol }),
  }));
}

function isForSamePorts(
  a: Pick<EndpointSlice, "addressType" | "ports">,
  b: Pick<EndpointSlice, "addressType" | "ports">,
): boolean {
  return a.addressType === b.addressType && canonical(a.ports ?? []) === canonical(b.ports ?? []);
}

/** Equal for equal JSON, whatever the order of members. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, member: unknown) =>
    typeof member === "object" && member !== null && !Array.isArray(member)
      ? Object.fromEntries(Object.entries(member).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : member,
  );
}
