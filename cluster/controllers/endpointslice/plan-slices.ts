/** The fewest writes that bring the slices of a Service to its endpoints. */

import type { Service } from "#cluster/api/generated/core-v1.ts";
import type { Endpoint, EndpointSlice } from "#cluster/api/generated/discovery-v1.ts";
import type { Creatable } from "#cluster/api/meta.ts";
import { controllerReference } from "#cluster/api/owner-reference.ts";
import { SERVICES } from "#cluster/api/resources.ts";
import { HEADLESS_LABEL, isHeadless } from "#cluster/api/service.ts";
import { groupKey } from "./build-endpoints.ts";
import type { EndpointGroup } from "./build-endpoints.ts";

export const SERVICE_NAME_LABEL = "kubernetes.io/service-name";
export const MANAGED_BY_LABEL = "endpointslice.kubernetes.io/managed-by";
export const MANAGER = "endpointslice-controller.k8s.io";

/** Kubernetes' default of `--max-endpoints-per-slice`. */
export const MAX_ENDPOINTS = 100;

/** Labels that a Service doesn't pass on. */
const OWN_LABELS = new Set([SERVICE_NAME_LABEL, MANAGED_BY_LABEL, HEADLESS_LABEL]);

export interface SlicePlan {
  create: Creatable<EndpointSlice>[];
  update: EndpointSlice[];
  remove: EndpointSlice[];
}

/**
 * Endpoints stay in the slice in which they are; new ones fill slices that have room, those that
 * change anyway first. A Service without endpoints keeps one empty slice.
 */
export function planSlices(
  service: Service,
  wanted: readonly EndpointGroup[],
  existing: readonly EndpointSlice[],
): SlicePlan {
  const plan: SlicePlan = { create: [], update: [], remove: [] };
  const groups = wanted.length === 0 ? [emptyGroup(service, existing[0])] : wanted;
  const left = new Set(existing);
  for (const group of groups) {
    const key = groupKey(group.addressType, group.ports);
    const slices = existing.filter(
      (slice) => left.has(slice) && groupKey(slice.addressType, slice.ports ?? []) === key,
    );
    for (const slice of slices) left.delete(slice);
    planGroup({ service, group, isOnly: groups.length === 1 }, slices, plan);
  }
  plan.remove.push(...left);
  return plan;
}

interface GroupInput {
  service: Service;
  group: EndpointGroup;
  /** Of the Service; then one slice stays, even empty. */
  isOnly: boolean;
}

interface Draft {
  slice: EndpointSlice;
  endpoints: Endpoint[];
  isChanged: boolean;
}

function planGroup(
  { service, group, isOnly }: GroupInput,
  slices: readonly EndpointSlice[],
  plan: SlicePlan,
): void {
  const pending = new Map(group.endpoints.map((endpoint) => [identityOf(endpoint), endpoint]));
  const drafts = slices.map((slice) => keep(service, slice, pending));
  fill(drafts, pending);
  const rest = [...pending.values()];
  let remaining = drafts.length;
  for (let start = 0; start < rest.length; start += MAX_ENDPOINTS) {
    const endpoints = rest.slice(start, start + MAX_ENDPOINTS);
    plan.create.push(buildSlice(service, { ...group, endpoints }));
    remaining += 1;
  }
  for (const { slice, endpoints, isChanged } of drafts) {
    if (endpoints.length === 0 && !(isOnly && remaining === 1)) {
      plan.remove.push(slice);
      remaining -= 1;
    } else if (isChanged) {
      plan.update.push(rebuild(service, slice, endpoints));
    }
  }
  if (isOnly && remaining === 0) plan.create.push(buildSlice(service, group));
}

/** The endpoints of a slice that are still wanted, as they are now; takes them from `pending`. */
function keep(service: Service, slice: EndpointSlice, pending: Map<string, Endpoint>): Draft {
  const endpoints: Endpoint[] = [];
  let isChanged = !hasWantedMetadata(service, slice);
  for (const old of slice.endpoints ?? []) {
    const identity = identityOf(old);
    const now = pending.get(identity);
    if (now === undefined) {
      isChanged = true;
      continue;
    }
    pending.delete(identity);
    endpoints.push(now);
    isChanged ||= !isSameEndpoint(old, now);
  }
  return { slice, endpoints, isChanged };
}

function fill(drafts: readonly Draft[], pending: Map<string, Endpoint>): void {
  const roomiestLast = drafts.toSorted(
    (a, b) => Number(b.isChanged) - Number(a.isChanged) || b.endpoints.length - a.endpoints.length,
  );
  for (const draft of roomiestLast) {
    for (const [identity, endpoint] of pending) {
      if (draft.endpoints.length >= MAX_ENDPOINTS) break;
      draft.endpoints.push(endpoint);
      draft.isChanged = true;
      pending.delete(identity);
    }
  }
}

/** Any present slice will do to be the empty one; its ports don't matter. */
function emptyGroup(service: Service, present: EndpointSlice | undefined): EndpointGroup {
  const family = present?.addressType ?? service.spec?.ipFamilies?.[0];
  const addressType = family === "IPv6" ? "IPv6" : "IPv4";
  return { addressType, ports: present?.ports ?? [], endpoints: [] };
}

function buildSlice(service: Service, group: EndpointGroup): Creatable<EndpointSlice> {
  const { name, namespace } = service.metadata;
  return {
    metadata: {
      namespace,
      generateName: `${name}-`,
      labels: labelsOf(service),
      ownerReferences: [controllerReference(SERVICES, service)],
    },
    addressType: group.addressType,
    ports: group.ports,
    endpoints: group.endpoints,
  };
}

function rebuild(service: Service, slice: EndpointSlice, endpoints: Endpoint[]): EndpointSlice {
  return {
    ...slice,
    metadata: {
      ...slice.metadata,
      labels: labelsOf(service),
      ownerReferences: [controllerReference(SERVICES, service)],
    },
    endpoints,
  };
}

function labelsOf(service: Service): Record<string, string> {
  const inherited = Object.entries(service.metadata.labels ?? {}).filter(
    ([key]) => !OWN_LABELS.has(key),
  );
  return {
    ...Object.fromEntries(inherited),
    ...(isHeadless(service) ? { [HEADLESS_LABEL]: "" } : {}),
    [SERVICE_NAME_LABEL]: service.metadata.name,
    [MANAGED_BY_LABEL]: MANAGER,
  };
}

function hasWantedMetadata(service: Service, slice: EndpointSlice): boolean {
  const wanted = labelsOf(service);
  const labels = slice.metadata.labels ?? {};
  const owner = slice.metadata.ownerReferences?.[0];
  return (
    owner?.uid === service.metadata.uid &&
    Object.keys(labels).length === Object.keys(wanted).length &&
    Object.entries(wanted).every(([key, value]) => labels[key] === value)
  );
}

/** The same pod (by uid) at the same address. */
function identityOf({ addresses, targetRef }: Endpoint): string {
  return `${addresses.join(",")} ${targetRef?.uid ?? ""}`;
}

function isSameEndpoint(a: Endpoint, b: Endpoint): boolean {
  return (
    a.conditions?.ready === b.conditions?.ready &&
    a.conditions?.serving === b.conditions?.serving &&
    a.conditions?.terminating === b.conditions?.terminating &&
    a.hostname === b.hostname &&
    a.nodeName === b.nodeName &&
    a.zone === b.zone &&
    a.targetRef?.name === b.targetRef?.name
  );
}
