/**
 * A translated world as files for an Envoy on loopback: nothing of the listeners is changed but how
 * they are entered, and every cluster leads to the answerer.
 */

import type { EnvoyResource } from "#pilot/envoy/build.ts";
import { addressOf } from "./answerer.ts";

type Json = Readonly<Record<string, unknown>>;

export interface EnvoyFiles {
  readonly listeners: readonly object[];
  readonly clusters: readonly object[];
  /** Secrets by the name of their file. */
  readonly secrets: ReadonlyMap<string, readonly object[]>;
}

export interface Places {
  /** Where connections come in, with the destination that they had in a PROXY header. */
  readonly entryPort: number;
  readonly answererPort: number;
  /** A port that says which world is served, in a direct response. */
  readonly worldPort: number;
  readonly folder: string;
}

export function envoyFiles(
  resources: readonly EnvoyResource[],
  world: string,
  places: Places,
): EnvoyFiles {
  const of = (type: EnvoyResource["type"]): Json[] =>
    resources.filter((one) => one.type === type).map((one) => one.message as Json);
  const routes = new Map(of("route").map((route) => [route.name as string, telling(route)]));
  const secrets = new Map<string, object[]>();
  const known = new Map(of("secret").map((secret) => [secret.name as string, secret]));
  const file = (name: string): string => {
    const secret = known.get(name);
    const at = `${places.folder}/secret-${world}-${secrets.size}.json`;
    const type = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret";
    secrets.set(at, secret === undefined ? [] : [{ "@type": type, ...secret }]);
    return at;
  };
  const listeners = of("listener")
    .filter((listener) => listener.name !== "virtualInbound")
    .map((listener) => local(listener, routes, file) as Json)
    .map((listener) => entered(listener, places));
  const hasEntry = listeners.some((listener) => listener.name === ENTRY);
  return {
    listeners: [
      ...(hasEntry ? listeners : [...listeners, entryOf(places)]),
      worldListener(world, places),
    ],
    clusters: of("cluster").map((cluster, index) =>
      staticCluster(cluster.name as string, addressOf(index), places.answererPort),
    ),
    secrets,
  };
}

/** Answers say the virtual host and the route. */
function telling(route: Json): Json {
  const hosts = (route.virtualHosts ?? []) as Json[];
  return {
    ...route,
    responseHeadersToAdd: [headerOption("x-route", "%ROUTE_NAME%")],
    virtualHosts: hosts.map((host) => ({
      ...host,
      responseHeadersToAdd: [headerOption("x-virtual-host", host.name as string)],
    })),
  };
}

function headerOption(key: string, value: string): object {
  return { header: { key, value }, keepEmptyValue: true };
}

/** What would be discovered is put in its place or read from a file. */
function local(
  value: unknown,
  routes: ReadonlyMap<string, Json>,
  file: (secret: string) => string,
): unknown {
  if (Array.isArray(value)) return value.map((one) => local(one, routes, file));
  if (typeof value !== "object" || value === null) return value;
  const { rds, sdsConfig, ...rest } = value as Json & { rds?: Json };
  const fields = Object.entries(rest).map(([key, one]) => [key, local(one, routes, file)]);
  return {
    ...Object.fromEntries(fields),
    ...(rds === undefined ? {} : inline(routes.get(rds.routeConfigName as string))),
    ...(sdsConfig === undefined
      ? {}
      : { sdsConfig: { pathConfigSource: { path: file(rest.name as string) } } }),
  };
}

function inline(route: Json | undefined): object {
  return { routeConfig: route ?? { name: "none", virtualHosts: [] } };
}

const ENTRY = "entry";

const proxyProtocol = {
  name: "envoy.filters.listener.proxy_protocol",
  typedConfig: {
    "@type":
      "type.googleapis.com/envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol",
  },
};

/** Only the entry has a port of its own; the others are found by the destination. */
function entered(listener: Json, { entryPort }: Places): Json {
  if (listener.useOriginalDst !== true) return { ...listener, bindToPort: false };
  const filters = (listener.listenerFilters ?? []) as Json[];
  const others = filters.filter((one) => one.name !== "envoy.filters.listener.original_dst");
  return {
    ...listener,
    name: ENTRY,
    address: loopback(entryPort),
    listenerFilters: [proxyProtocol, ...others],
  };
}

/** The way in of proxies that have none: closes what no listener takes. */
function entryOf({ entryPort }: Places): Json {
  const type = "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy";
  const typedConfig = { "@type": type, statPrefix: ENTRY, cluster: "nowhere" };
  return {
    name: ENTRY,
    address: loopback(entryPort),
    useOriginalDst: true,
    listenerFilters: [proxyProtocol],
    filterChains: [{ filters: [{ name: "tcp", typedConfig }] }],
  };
}

function loopback(portValue: number): object {
  return { socketAddress: { address: "127.0.0.1", portValue } };
}

/** The last of the listeners, so that the others are there once it tells the world's name. */
function worldListener(world: string, { worldPort }: Places): Json {
  const http = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3";
  const router = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router";
  const directResponse = { status: 200, body: { inlineString: world } };
  const routes = [{ match: { prefix: "/" }, directResponse }];
  const typedConfig = {
    "@type": `${http}.HttpConnectionManager`,
    statPrefix: "world",
    routeConfig: { name: "world", virtualHosts: [{ name: "world", domains: ["*"], routes }] },
    httpFilters: [{ name: "router", typedConfig: { "@type": router } }],
  };
  return {
    name: "world",
    address: loopback(worldPort),
    filterChains: [{ filters: [{ name: "http", typedConfig }] }],
  };
}

function staticCluster(name: string, address: string, portValue: number): object {
  const endpoint = { address: { socketAddress: { address, portValue } } };
  return {
    name,
    type: "STATIC",
    connectTimeout: "5s",
    loadAssignment: { clusterName: name, endpoints: [{ lbEndpoints: [{ endpoint }] }] },
  };
}
