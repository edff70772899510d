/** What an HTTPRoute says that has no effect in the world of now. */

import type { KubeObject } from "#cluster/api/meta.ts";
import type { RouteLookup, RoutePort } from "#ingress/translate/http-route-parent.ts";
import { type HttpRoute, translateHttpRoute } from "#ingress/translate/http-route.ts";
import { hostname, objectKey, serviceHost } from "#pilot/model/name.ts";
import type { Service } from "#pilot/model/object.ts";
import type { Problem } from "#pilot/model/problem.ts";
import { lookup } from "#pilot/model/object-index.ts";
import { type PushContext, objectOf } from "#pilot/model/push-context.ts";

/** Nothing is refused: the Gateway API wants what no schema says in the status. */
export function httpRouteFindings(
  context: PushContext,
  object: KubeObject,
): Pick<Problem, "path" | "reason" | "message">[] {
  const translated = translateHttpRoute(object as unknown as HttpRoute, lookupIn(context));
  const [missing] = translated.parents.flatMap(({ unresolved }) =>
    unresolved?.reason === "BackendNotFound" ? [{ path: "spec.rules", ...unresolved }] : [],
  );
  return [
    ...translated.problems.map(({ path, reason, message }) => ({ path, reason, message })),
    ...(missing === undefined ? [] : [missing]),
  ];
}

function lookupIn(context: PushContext): RouteLookup {
  const { clusterDomain } = context.mesh;
  return {
    clusterDomain,
    servicePorts(namespace, name) {
      const host = serviceHost(name, namespace, clusterDomain);
      const services = lookup(context.indexes.servicesByHost, host);
      return services.find(({ source }) => source.startsWith("Service/"))?.ports.map(portOf);
    },
    serviceEntry(namespace, name) {
      const entry = objectOf(context, objectKey("ServiceEntry", namespace, name));
      if (entry?.kind !== "ServiceEntry") return undefined;
      const { hosts, ports = [] } = entry.spec;
      return {
        hosts: hosts.map(hostname),
        ports: ports.map((port) => ({ name: port.name, number: port.number })),
      };
    },
    isHost: (host) => lookup(context.indexes.servicesByHost, hostname(host)).length > 0,
  };
}

function portOf({ name, number }: Service["ports"][number]): RoutePort {
  return { name, number };
}
