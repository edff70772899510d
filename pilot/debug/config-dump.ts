/** What a proxy has been sent, in the shape of Envoy's own `/config_dump` (envoy.admin.v3). */

import type { EncodedResource } from "#pilot/cache/resource.ts";
import {
  CLUSTER,
  ENDPOINTS,
  LISTENER,
  ROUTES,
  VIRTUAL_HOST,
  messageTypeOf,
} from "#pilot/cache/type-url.ts";
import type { TypeUrl } from "#pilot/cache/type-url.ts";
import type { ProxyView } from "#pilot/cache/view.ts";
import { decode } from "#pilot/proto/decode.ts";
import type { JsonObject } from "#pilot/proto/json.ts";

/** Resources of one type as JSON, each with the objects that it comes from. */
export interface DumpedResource {
  name: string;
  version: string;
  message: JsonObject;
  origins: EncodedResource["origins"];
}

/** Sorted by name. */
export function dumpResources(view: ProxyView, type: TypeUrl): DumpedResource[] {
  return view
    .tables(type)
    .flatMap((table) => [...table.resources()])
    .toSorted((left, right) => (left.name < right.name ? -1 : 1))
    .map(({ name, version, message, origins }) => ({
      name,
      version,
      message: decode(messageTypeOf(type), message),
      origins,
    }));
}

/** Virtual hosts that are discovered by themselves stand in their route configuration, as in Envoy's. */
export function configDump(view: ProxyView): JsonObject {
  const of = (type: TypeUrl): DumpedResource[] => dumpResources(view, type);
  return {
    configs: [
      dump("ClustersConfigDump", {
        dynamicActiveClusters: of(CLUSTER).map(({ version, message }) => ({
          versionInfo: version,
          cluster: { "@type": CLUSTER, ...message },
        })),
      }),
      dump("ListenersConfigDump", {
        dynamicListeners: of(LISTENER).map(({ name, version, message }) => ({
          name,
          activeState: { versionInfo: version, listener: { "@type": LISTENER, ...message } },
        })),
      }),
      dump("RoutesConfigDump", {
        dynamicRouteConfigs: withVirtualHosts(of(ROUTES), of(VIRTUAL_HOST)).map(
          ({ version, message }) => ({
            versionInfo: version,
            routeConfig: { "@type": ROUTES, ...message },
          }),
        ),
      }),
      dump("EndpointsConfigDump", {
        dynamicEndpointConfigs: of(ENDPOINTS).map(({ version, message }) => ({
          versionInfo: version,
          endpointConfig: { "@type": ENDPOINTS, ...message },
        })),
      }),
    ],
  };
}

function dump(name: string, fields: JsonObject): JsonObject {
  return { "@type": `type.googleapis.com/envoy.admin.v3.${name}`, ...fields };
}

function withVirtualHosts(
  routes: readonly DumpedResource[],
  hosts: readonly DumpedResource[],
): DumpedResource[] {
  return routes.map((route) => {
    const own = hosts
      .filter(({ name }) => name.startsWith(`${route.name}/`))
      .map(({ message }) => message);
    return own.length === 0
      ? route
      : { ...route, message: { ...route.message, virtualHosts: own } };
  });
}
