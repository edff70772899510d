/** Which endpoints of a Service port take traffic, from its EndpointSlices. */

import { isIPv4 } from "node:net";
import type { ServicePort } from "#cluster/api/generated/core-v1.ts";
import type { Endpoint, EndpointSlice } from "#cluster/api/generated/discovery-v1.ts";

/** An endpoint's address and port. */
export interface Backend {
  address: string;
  port: number;
  /** Whether it may be a pod of this node, which can then be its own client. */
  mayBeLocal: boolean;
}

/** What a node can choose from; both sorted by address and port, without duplicates. */
export interface NodeBackends {
  all: readonly Backend[];
  /** On this node. */
  local: readonly Backend[];
}

interface Candidate {
  backend: Backend;
  isLocal: boolean;
  isReady: boolean;
  /** Terminating and still serving: better than nothing (KEP-1669). */
  isLastResort: boolean;
}

/** Ready endpoints; where there is none, those that are terminating and still serve. */
export function backendsOf(
  port: ServicePort,
  slices: readonly EndpointSlice[],
  nodeName: string,
): NodeBackends {
  const candidates = slices.flatMap((slice) => candidatesOf(port, slice, nodeName));
  return {
    all: chosen(candidates),
    local: chosen(candidates.filter((candidate) => candidate.isLocal)),
  };
}

function candidatesOf(port: ServicePort, slice: EndpointSlice, nodeName: string): Candidate[] {
  if (slice.addressType !== "IPv4") return [];
  const slicePort = (slice.ports ?? []).find(
    (candidate) =>
      (candidate.name ?? "") === (port.name ?? "") &&
      (candidate.protocol ?? "TCP") === (port.protocol ?? "TCP"),
  );
  const number = slicePort?.port;
  if (number === undefined) return [];
  return (slice.endpoints ?? []).flatMap((endpoint) => {
    // Further addresses of an endpoint are the same pod's (API reference of EndpointSlice).
    const address = endpoint.addresses[0];
    if (address === undefined || !isIPv4(address)) return [];
    return [candidateOf(endpoint, { address, port: number }, nodeName)];
  });
}

function candidateOf(
  endpoint: Endpoint,
  at: { address: string; port: number },
  nodeName: string,
): Candidate {
  const { ready = true, serving = ready, terminating = false } = endpoint.conditions ?? {};
  const isLocal = endpoint.nodeName === nodeName;
  return {
    backend: { ...at, mayBeLocal: isLocal || endpoint.nodeName === undefined },
    isLocal,
    isReady: ready,
    isLastResort: serving && terminating,
  };
}

function chosen(candidates: readonly Candidate[]): Backend[] {
  const ready = candidates.filter((candidate) => candidate.isReady);
  const usable = ready.length > 0 ? ready : candidates.filter((c) => c.isLastResort);
  const byKey = new Map(usable.map(({ backend }) => [backendKey(backend), backend]));
  return [...byKey].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, backend]) => backend);
}

/** Identity of a backend within a Service port. */
export function backendKey(backend: { address: string; port: number }): string {
  return `${backend.address}:${backend.port}`;
}
