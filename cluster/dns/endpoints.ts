/** Endpoints of a Service that have names. */

import { isIPv4 } from "node:net";
import type { Service } from "#cluster/api/generated/core-v1.ts";
import type { EndpointPort } from "#cluster/api/generated/discovery-v1.ts";
import type { ZoneSource } from "./zone-source.ts";

export interface NamedEndpoint {
  address: string;
  /** The pod's hostname, else its address with dashes; in lower case. */
  hostname: string;
  ports: readonly EndpointPort[];
}

/** Ready ones, or all when the Service publishes unready addresses; sorted by address. */
export function endpointsOf(service: Service, source: ZoneSource): NamedEndpoint[] {
  const { namespace = "", name } = service.metadata;
  const takesUnready = service.spec?.publishNotReadyAddresses === true;
  return source
    .slices(namespace, name)
    .filter((slice) => slice.addressType === "IPv4")
    .flatMap((slice) =>
      (slice.endpoints ?? []).flatMap((endpoint) => {
        const address = endpoint.addresses[0] ?? "";
        const isReady = endpoint.conditions?.ready !== false;
        if (!isIPv4(address) || (!isReady && !takesUnready)) return [];
        const hostname = (endpoint.hostname ?? address.replaceAll(".", "-")).toLowerCase();
        return [{ address, hostname, ports: slice.ports ?? [] }];
      }),
    )
    .toSorted((a, b) => (a.address < b.address ? -1 : Number(a.address > b.address)));
}
