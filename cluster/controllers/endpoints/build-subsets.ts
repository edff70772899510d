/** The subsets of a legacy Endpoints object. */

import type {
  EndpointAddress,
  EndpointPort,
  EndpointSubset,
  Pod,
  Service,
} from "#cluster/api/generated/core-v1.ts";
import { isPodReady, isPodTerminal, targetPortOf } from "#cluster/api/pod.ts";
import { hostnameIn, isHeadless } from "#cluster/api/service.ts";

/** Kubernetes' limit: later addresses are cut off, not ready ones first. */
const MAX_ADDRESSES = 1_000;

/** Addresses with the same ports together, sorted; pods that end are left out. */
export function buildSubsets(service: Service, pods: readonly Pod[]): EndpointSubset[] {
  const isPublished = service.spec?.publishNotReadyAddresses === true;
  const subsets = new Map<string, EndpointSubset>();
  const present = pods
    .filter((pod) => !isPodTerminal(pod) && (pod.status?.podIP ?? "") !== "")
    .filter((pod) => isPublished || pod.metadata.deletionTimestamp === undefined)
    .toSorted((a, b) => compare(a.status?.podIP ?? "", b.status?.podIP ?? ""))
    .toSorted((a, b) => Number(isPodReady(b)) - Number(isPodReady(a)))
    .slice(0, MAX_ADDRESSES);
  for (const pod of present) {
    const ports = portsOf(service, pod);
    if (ports.length === 0 && !isHeadless(service)) continue;
    const key = JSON.stringify(ports);
    const subset = subsets.get(key) ?? (ports.length === 0 ? {} : { ports });
    const list = isPublished || isPodReady(pod) ? "addresses" : "notReadyAddresses";
    subset[list] = [...(subset[list] ?? []), addressOf(service, pod)];
    subsets.set(key, subset);
  }
  return [...subsets].toSorted(([a], [b]) => compare(a, b)).map(([, subset]) => subset);
}

function addressOf(service: Service, pod: Pod): EndpointAddress {
  const hostname = hostnameIn(service, pod);
  const { namespace, name, uid } = pod.metadata;
  return {
    ip: pod.status?.podIP ?? "",
    ...(hostname === undefined ? {} : { hostname }),
    nodeName: pod.spec?.nodeName,
    targetRef: { kind: "Pod", namespace, name, uid },
  };
}

function portsOf(service: Service, pod: Pod): EndpointPort[] {
  return (service.spec?.ports ?? []).flatMap((port) => {
    const number = targetPortOf(port, pod);
    if (number === undefined) return [];
    const { name, protocol = "TCP", appProtocol } = port;
    return [
      {
        ...(name === undefined || name === "" ? {} : { name }),
        port: number,
        protocol,
        ...(appProtocol === undefined ? {} : { appProtocol }),
      },
    ];
  });
}

function compare(a: string, b: string): number {
  return a === b ? 0 : a < b ? -1 : 1;
}
