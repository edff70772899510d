/** What several HTTPRoutes say about one host → one VirtualService. */

import type { HTTPRoute } from "#crds/types/networking-v1.ts";
import { objectKey } from "#pilot/model/name.ts";
import { type VirtualService, compareText } from "#pilot/model/object.ts";
import type { RankedRule } from "./http-route-rule.ts";
import type { RoutePart } from "./http-route.ts";

/**
 * All parts have one key, and there is one at least. The more specific rule comes first, of equal
 * ones that of the oldest route, then the first in it (Gateway API, "HTTPRouteRule").
 */
export function mergeParts(parts: readonly RoutePart[]): VirtualService {
  const sorted = parts.toSorted(compareParts);
  const [first] = sorted as [RoutePart];
  const { host, namespace, port, creationTimestamp } = first;
  const rules = sorted.flatMap((part) => part.rules).toSorted(compareRanks);
  const name = first.key.replaceAll("/", "~");
  return {
    kind: "VirtualService",
    // A name that no object has: the rules may be of several.
    key: objectKey("HTTPRoute", namespace, name),
    group: "gateway.networking.k8s.io",
    namespace,
    name,
    generation: 0,
    creationTimestamp,
    labels: {},
    annotations: {},
    spec: {
      hosts: [host],
      gateways: ["mesh"],
      http: rules.map(({ rule }) => (port === undefined ? rule : onPort(rule, port))),
    },
    attachment: {
      ...(port === undefined ? {} : { port }),
      parents: sorted.flatMap((part) => part.parents),
      rules: rules.map(({ written }) => written),
    },
  };
}

function onPort(rule: HTTPRoute, port: number): HTTPRoute {
  return { ...rule, match: (rule.match ?? [{}]).map((one) => ({ ...one, port })) };
}

/** Age, then namespace, then name, then where in the route. */
function compareParts(left: RoutePart, right: RoutePart): number {
  return (
    compareText(left.creationTimestamp, right.creationTimestamp) ||
    compareText(left.name, right.name) ||
    compareText(left.parents[0]?.path ?? "", right.parents[0]?.path ?? "")
  );
}

function compareRanks({ rank: left }: RankedRule, { rank: right }: RankedRule): number {
  for (const [at, value] of left.entries()) {
    const difference = (right[at] ?? 0) - value;
    if (difference !== 0) return difference;
  }
  return 0;
}
