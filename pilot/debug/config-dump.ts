/** What a proxy has been sent, in the shape of Envoy's own `/config_dump` (envoy.admin.v3). */

import type { EncodedResource } from "#pilot/cache/resource.ts";
import {
  CLUSTER,
  ENDPOINTS,
  EXTENSION_CONFIG,
  LISTENER,
  ROUTES,
  SECRET,
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

/** Sorted by name; private keys are left out. */
export function dumpResources(view: ProxyView, type: TypeUrl): DumpedResource[] {
  return view
    .tables(type)
    .flatMap((table) => [...table.resources()])
    .toSorted((left, right) => (left.name < right.name ? -1 : 1))
    .map(({ name, version, message, origins }) => {
      const decoded = decode(messageTypeOf(type), message);
      return { name, version, message: type === SECRET ? redact(decoded) : decoded, origins };
    });
}

const REDACTED = { inlineBytes: Buffer.from("[redacted]").toString("base64") };

function redact(secret: JsonObject): JsonObject {
  const { tlsCertificate, genericSecret, sessionTicketKeys, ...rest } = secret;
  return {
    ...rest,
    ...(tlsCertificate === undefined
      ? {}
      : { tlsCertificate: { ...(tlsCertificate as JsonObject), privateKey: REDACTED } }),
    ...(genericSecret === undefined ? {} : { genericSecret: { secret: REDACTED } }),
    ...(sessionTicketKeys === undefined ? {} : { sessionTicketKeys: { keys: [REDACTED] } }),
  };
}

/** The resources alone, one after the other. */
export function dumpTypes(view: ProxyView, types: readonly TypeUrl[]): JsonObject {
  return {
    configs: types.flatMap((type) =>
      dumpResources(view, type).map(({ message }) => ({ "@type": type, ...message })),
    ),
  };
}

/**
 * All parts that Envoy's own dump has, in its order; endpoints only when they are asked for. Virtual
 * hosts that are discovered by themselves stand in their route configuration, as in Envoy's.
 */
export function configDump(view: ProxyView, options: { endpoints: boolean }): JsonObject {
  return { configs: configDumpParts(view, options) };
}

/** Each with its `@type`. */
export function configDumpParts(view: ProxyView, options: { endpoints: boolean }): JsonObject[] {
  const of = (type: TypeUrl): DumpedResource[] => dumpResources(view, type);
  return [
    dump("BootstrapConfigDump", {}),
    dump("ClustersConfigDump", {
      dynamicActiveClusters: of(CLUSTER).map((one) => entry("cluster", CLUSTER, one)),
    }),
    ...(options.endpoints
      ? [
          dump("EndpointsConfigDump", {
            dynamicEndpointConfigs: of(ENDPOINTS).map((one) =>
              entry("endpointConfig", ENDPOINTS, one),
            ),
          }),
        ]
      : []),
    dump("ListenersConfigDump", {
      dynamicListeners: of(LISTENER).map((one) => ({
        name: one.name,
        activeState: entry("listener", LISTENER, one),
      })),
    }),
    dump("ScopedRoutesConfigDump", {}),
    dump("RoutesConfigDump", {
      dynamicRouteConfigs: withVirtualHosts(of(ROUTES), of(VIRTUAL_HOST)).map((one) =>
        entry("routeConfig", ROUTES, one),
      ),
    }),
    dump("SecretsConfigDump", {
      dynamicActiveSecrets: of(SECRET).map((one) => ({
        name: one.name,
        ...entry("secret", SECRET, one),
      })),
    }),
    dump("EcdsConfigDump", {
      ecdsFilters: of(EXTENSION_CONFIG).map((one) => entry("ecdsFilter", EXTENSION_CONFIG, one)),
    }),
  ];
}

function entry(field: string, type: TypeUrl, { version, message }: DumpedResource): JsonObject {
  return { versionInfo: version, [field]: { "@type": type, ...message } };
}

function dump(name: string, fields: JsonObject): JsonObject {
  return { "@type": `type.googleapis.com/envoy.admin.v3.${name}`, ...fields };
}

function withVirtualHosts(
  routes: readonly DumpedResource[],
  hosts: readonly DumpedResource[],
): DumpedResource[] {
  const byRoute = Map.groupBy(hosts, ({ name }) => name.slice(0, name.indexOf("/")));
  return routes.map((route) => {
    const own = byRoute.get(route.name)?.map(({ message }) => message);
    return own === undefined
      ? route
      : { ...route, message: { ...route.message, virtualHosts: own } };
  });
}
