/** Endpoints of clusters whose names are looked up: what of them can be. */

import type { Cluster } from "#pilot/ir/cluster.ts";
import type { EndpointAssignment } from "#pilot/ir/endpoint.ts";
import { type Reporter, error, warn } from "./result.ts";

/** What Envoy would refuse among names to look up: sockets, and more than one for a first answer. */
export function resolvable(
  assignment: EndpointAssignment,
  answers: "all" | "first",
  report: Reporter,
): EndpointAssignment {
  const isName = (endpoint: { readonly address: string }): boolean =>
    !endpoint.address.startsWith("unix://");
  const all = assignment.localities.flatMap((place) =>
    place.endpoints.filter(isName).map((endpoint) => ({ place, endpoint })),
  );
  const told = assignment.localities.reduce((sum, place) => sum + place.endpoints.length, 0);
  if (all.length < told) {
    const message = "a socket's path can't be looked up: it is left out";
    error(report, "spec.endpoints", "InvalidAddress", message);
  }
  const [first] = all;
  if (answers === "first" && all.length > 1 && first !== undefined) {
    const message = `DNS_ROUND_ROBIN is for one name: of these, ${first.endpoint.address} counts`;
    warn(report, "spec.endpoints", "TooManyEndpoints", message);
    return { ...assignment, localities: [{ ...first.place, endpoints: [first.endpoint] }] };
  }
  if (all.length === told) return assignment;
  const localities = assignment.localities
    .map((place) => ({ ...place, endpoints: place.endpoints.filter(isName) }))
    .filter((place) => place.endpoints.length > 0);
  return { ...assignment, localities };
}

/** A subset without endpoints has no name to resolve: Envoy refuses a cluster of that kind. */
export function isEmptyDns({ discovery }: Cluster): boolean {
  return (
    discovery.kind === "dns" &&
    discovery.answers === "first" &&
    discovery.assignment.localities.length === 0
  );
}
