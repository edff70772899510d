/** How much a single object may make of itself: beyond that it would harm all others. */

import type { AnyConfigObject, ServiceEntry, VirtualService } from "#pilot/model/object.ts";
import type { Problem } from "#pilot/model/problem.ts";

/** Destinations of routes over all hosts of a rule; an object of 1.5 MiB could ask for billions. */
const MAX_DESTINATIONS = 500_000;
/** Clusters of a ServiceEntry. */
const MAX_CLUSTERS = 50_000;

/** Problems of an object that multiplies too far; it then has no effect at all. */
export function sizeProblems(object: AnyConfigObject): Problem[] {
  if (object.kind === "VirtualService") {
    const what = "destinations (hosts × matches × destinations)";
    return tell(object, destinationsOf(object), MAX_DESTINATIONS, { path: "spec.http", what });
  }
  if (object.kind === "ServiceEntry") {
    const what = "clusters (hosts × ports)";
    return tell(object, clustersOf(object), MAX_CLUSTERS, { path: "spec.ports", what });
  }
  return [];
}

function destinationsOf({ spec }: VirtualService): number {
  const ofHost = (spec.http ?? []).reduce(
    (sum, { match, route }) =>
      sum + Math.max(1, match?.length ?? 0) * Math.max(1, route?.length ?? 0),
    0,
  );
  return Math.max(1, spec.hosts?.length ?? 0) * ofHost;
}

function clustersOf({ spec }: ServiceEntry): number {
  return (spec.hosts?.length ?? 0) * (spec.ports?.length ?? 0);
}

function tell(
  { key }: AnyConfigObject,
  count: number,
  most: number,
  { path, what }: { path: string; what: string },
): Problem[] {
  if (count <= most) return [];
  const message = `would make ${count} ${what}, and at most ${most} are made: divide it`;
  return [{ object: key, path, severity: "error", reason: "MalformedBySize", message }];
}
