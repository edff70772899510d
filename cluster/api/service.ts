/** What controllers and proxies read off a Service. */

import type { Pod, Service } from "./generated/core-v1.ts";
import { matchesLabels } from "./selector.ts";

/** Label of Services, slices and Endpoints that have no cluster address. */
export const HEADLESS_LABEL = "service.kubernetes.io/headless";

export function isHeadless(service: Service): boolean {
  return service.spec?.clusterIP === "None";
}

/** Whether controllers find its endpoints: it has a selector and an address of its own. */
export function hasSelectedEndpoints(service: Service): boolean {
  const { selector, type } = service.spec ?? {};
  return type !== "ExternalName" && selector !== undefined && Object.keys(selector).length > 0;
}

/** Whether a Service with a selector selects a pod of its namespace. */
export function selectsPod(service: Service, pod: Pod): boolean {
  return (
    hasSelectedEndpoints(service) &&
    service.metadata.namespace === pod.metadata.namespace &&
    matchesLabels(service.spec?.selector ?? {}, pod.metadata.labels)
  );
}

/** The host name that a pod has within the Service's DNS name, if it asks for one. */
export function hostnameIn(service: Service, pod: Pod): string | undefined {
  const { hostname, subdomain } = pod.spec ?? {};
  const isNamed = hostname !== undefined && hostname !== "" && subdomain === service.metadata.name;
  return isNamed ? hostname : undefined;
}
