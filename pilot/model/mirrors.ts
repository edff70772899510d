/** Hosts that get copies of requests, whose clusters no request of their own asks for. */

import { cached } from "./cached.ts";
import { type Hostname, resolveHost } from "./name.ts";
import type { VirtualService } from "./object.ts";
import { lookup } from "./object-index.ts";
import type { PushContext } from "./push-context.ts";

/** Where a rule sends copies of requests. */
export const mirrorsOf = cached(
  (rule: VirtualService, clusterDomain: string): ReadonlySet<Hostname> => {
    const hosts = (rule.spec.http ?? []).flatMap((one) => [
      one.mirror?.host,
      ...(one.mirrors ?? []).map((to) => to.destination?.host),
    ]);
    const named = hosts.filter((host) => host !== undefined);
    return new Set(named.map((host) => resolveHost(host, rule.namespace, clusterDomain)));
  },
);

/** Whether any rule sends copies to a host, or to an alias of it. */
export function isMirrored({ indexes, mesh }: PushContext, host: Hostname): boolean {
  const aliases = lookup(indexes.servicesByAliasOf, host).map((service) => service.host);
  return [host, ...aliases].some((one) =>
    lookup(indexes.virtualServicesByDestination, one).some((rule) =>
      mirrorsOf(rule, mesh.clusterDomain).has(one),
    ),
  );
}
