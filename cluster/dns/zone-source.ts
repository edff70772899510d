/** What the zone is answered from: the objects, by the keys that questions have. */

import type { Namespace, Service } from "#cluster/api/generated/core-v1.ts";
import type { EndpointSlice } from "#cluster/api/generated/discovery-v1.ts";
import { ENDPOINT_SLICES, NAMESPACES, SERVICES } from "#cluster/api/resources.ts";
import type { KubeClient } from "#cluster/client/client.ts";
import { createInformer } from "#cluster/client/create-informer.ts";

/** Always the newest state known; it stays readable while the API server is away. */
export interface ZoneSource {
  hasNamespace(name: string): boolean;
  service(namespace: string, name: string): Service | undefined;
  /** EndpointSlices of a Service. */
  slices(namespace: string, name: string): readonly EndpointSlice[];
  servicesByAddress(address: string): readonly Service[];
  slicesByAddress(address: string): readonly EndpointSlice[];
}

const SERVICE_NAME = "kubernetes.io/service-name";
const BY_ADDRESS = "address";
const BY_SERVICE = "service";

/** A source that follows an API server; `onChange` is called after each change. */
export function createZoneSource(
  client: KubeClient,
  onChange: () => void,
): { source: ZoneSource; synced: Promise<void>; run: (signal: AbortSignal) => Promise<void> } {
  const namespaces = createInformer<Namespace>(client, NAMESPACES);
  const services = createInformer<Service>(client, SERVICES, {
    indexes: { [BY_ADDRESS]: serviceAddresses },
  });
  const slices = createInformer<EndpointSlice>(client, ENDPOINT_SLICES, {
    indexes: {
      [BY_SERVICE]: (slice) => [`${slice.metadata.namespace}/${serviceOf(slice)}`],
      [BY_ADDRESS]: (slice) => (slice.endpoints ?? []).flatMap((e) => e.addresses),
    },
  });
  const informers = [namespaces, services, slices];
  for (const informer of informers) informer.onChange(onChange);
  return {
    source: {
      hasNamespace: (name) => namespaces.lister.get(undefined, name) !== undefined,
      service: (namespace, name) => services.lister.get(namespace, name),
      slices: (namespace, name) => slices.lister.byIndex(BY_SERVICE, `${namespace}/${name}`),
      servicesByAddress: (address) => services.lister.byIndex(BY_ADDRESS, address),
      slicesByAddress: (address) => slices.lister.byIndex(BY_ADDRESS, address),
    },
    synced: Promise.all(informers.map((informer) => informer.synced)).then(() => undefined),
    run: async (signal) => {
      await Promise.all(informers.map((informer) => informer.run(signal)));
    },
  };
}

/** Name of the Service that a slice belongs to; empty when it says none. */
export function serviceOf(slice: EndpointSlice): string {
  return slice.metadata.labels?.[SERVICE_NAME] ?? "";
}

/** ClusterIPs; none of headless Services. */
export function serviceAddresses(service: Service): string[] {
  const { clusterIP, clusterIPs } = service.spec ?? {};
  const all = clusterIPs ?? (clusterIP === undefined ? [] : [clusterIP]);
  return all.filter((address) => address !== "" && address !== "None");
}
