/**
 * HTTPRoutes that are attached to Services and ServiceEntries (Gateway API, "GAMMA") → rules of the
 * mesh's VirtualServices, in Istio's way: one a (namespace, port, host).
 */

import type { ObjectMeta } from "#cluster/api/meta.ts";
import type { HTTPRouteSpec, HTTPRouteStatus, ParentReference } from "#crds/types/networking-v1.ts";
import { type ObjectKey, objectKey } from "#pilot/model/name.ts";
import type { Problem } from "#pilot/model/problem.ts";
import type { Place } from "#pilot/model/object.ts";
import {
  type RouteLookup,
  type Verdict,
  hasOtherController,
  parentOf,
} from "./http-route-parent.ts";
import { type RankedRule, translateRule } from "./http-route-rule.ts";

/** An HTTPRoute, v1 or v1beta1: their fields are the same. */
export interface HttpRoute {
  readonly metadata: ObjectMeta;
  readonly spec?: HTTPRouteSpec;
  readonly status?: Partial<HTTPRouteStatus>;
}

/** What one route has to say about one host, to be put together with what others say. */
export interface RoutePart {
  /** `namespace/host` or `namespace/port/host`. */
  readonly key: string;
  readonly host: string;
  readonly namespace: string;
  readonly port?: number;
  readonly name: string;
  readonly creationTimestamp: string;
  readonly parents: readonly Place[];
  readonly rules: readonly RankedRule[];
}

/** What becomes of one entry of `parentRefs`: its conditions, absent what is as it should be. */
export interface ParentVerdict {
  readonly parentRef: ParentReference;
  readonly denied?: Verdict;
  readonly unresolved?: Verdict;
}

export interface TranslatedRoute {
  readonly parts: readonly RoutePart[];
  readonly parents: readonly ParentVerdict[];
  readonly problems: readonly Problem[];
}

/** Everything about one route; a part that can't be served is a problem, the rest goes on. */
export function translateHttpRoute(route: HttpRoute, lookup: RouteLookup): TranslatedRoute {
  const { namespace = "default", name } = route.metadata;
  const object = objectKey("HTTPRoute", namespace, name);
  const problems: Problem[] = [];
  const refs = route.spec?.parentRefs ?? [];
  const found = refs.map((ref, at) => ({
    ref,
    path: `spec.parentRefs[${at}]`,
    parent: parentOf(ref, namespace, lookup),
  }));
  const isOfMesh = found.some(
    ({ parent }) => parent.kind === "hosts" || (parent.kind === "denied" && parent.isOfMesh),
  );
  const rules = isOfMesh
    ? (route.spec?.rules ?? [{}]).map((rule, at) =>
        translateRule(rule, { object, namespace, name, at, lookup }),
      )
    : [];
  problems.push(...rules.flatMap((rule) => rule.problems));
  const failed = rules.find((rule) => rule.unresolved !== undefined)?.unresolved;
  const unresolved = failed === undefined ? {} : { unresolved: failed };
  const parents: ParentVerdict[] = [];
  const parts: RoutePart[] = [];
  for (const { ref, path, parent } of found) {
    if (parent.kind === "foreign") continue;
    if (parent.kind === "denied") {
      // Somebody else serves it and says so.
      if (hasOtherController(route, ref)) continue;
      const { reason, message } = parent;
      problems.push({ object, path, severity: "error", reason: parent.problem, message });
      const more = parent.isOfMesh ? unresolved : {};
      parents.push({ parentRef: ref, denied: { reason, message }, ...more });
      continue;
    }
    parents.push({ parentRef: ref, ...unresolved });
    for (const host of parent.hosts) {
      parts.push({
        ...identity(namespace, parent.port, host),
        name,
        creationTimestamp: route.metadata.creationTimestamp ?? "",
        parents: [{ object, path }],
        rules: rules.flatMap((rule) => rule.rules),
      });
    }
  }
  if (isOfMesh) problems.push(...hostnameProblems(route, object, refs));
  return { parts, parents, problems };
}

function identity(
  namespace: string,
  port: number | undefined,
  host: string,
): Pick<RoutePart, "key" | "host" | "namespace" | "port"> {
  if (port === undefined) return { key: `${namespace}/${host}`, host, namespace };
  return { key: `${namespace}/${port}/${host}`, host, namespace, port };
}

/** Names are for gateways: what is attached to a service is about that service's own names. */
function hostnameProblems(
  { spec }: HttpRoute,
  object: ObjectKey,
  refs: readonly ParentReference[],
): Problem[] {
  const hasGateway = refs.some(({ kind = "Gateway" }) => kind === "Gateway");
  if (hasGateway || (spec?.hostnames ?? []).length === 0) return [];
  const message = "services in the mesh are called by their own names: only gateways read this";
  return [
    { object, path: "spec.hostnames", severity: "warning", reason: "NotApplicable", message },
  ];
}
