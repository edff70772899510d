/** Pages about connected proxies, in Istio's shapes (istio/istio pilot/pkg/xds/debug.go). */

import { configDump, dumpResources, dumpTypes } from "./config-dump.ts";
import { connectedProxies, json, proxyPage } from "./page.ts";
import type { ConnectedProxy, DebugSources, PageHandler } from "./page.ts";
import {
  CLUSTER,
  ENDPOINTS,
  EXTENSION_CONFIG,
  LISTENER,
  PUSH_ORDER,
  ROUTES,
  TYPE_RULES,
  shortName,
} from "#pilot/cache/type-url.ts";
import type { TypeUrl } from "#pilot/cache/type-url.ts";
import { scopesOf } from "#pilot/model/scope.ts";
import { visibleServices } from "#pilot/model/visible.ts";

export const PROXY_PAGES: Readonly<Record<string, PageHandler>> = {
  syncz: {
    help: "What each proxy was sent and has acknowledged; ?namespace= narrows it",
    show: (sources, query) => json(syncz(sources, query.get("namespace") ?? "")),
  },
  adsz: {
    help: "Connected proxies with what they watch; ?proxyID= shows one",
    show: (sources, query) =>
      query.get("proxyID") === null
        ? json(adsClients(sources, adsClient))
        : proxyPage((proxy) => ({ totalClients: 1, clients: [adsClient(proxy)] }))(sources, query),
  },
  connections: {
    help: "Connected proxies",
    show: (sources) => json(adsClients(sources, connectionOf)),
  },
  config_dump: {
    help: "What a proxy should have, as Envoy's config_dump; ?proxyID=, &include_eds, &types=",
    show: proxyPage(({ connection }, query) => {
      const types = typesNamed(query.get("types") ?? "");
      if (types.length > 0) return dumpTypes(connection, types);
      return configDump(connection, { endpoints: query.has("include_eds") });
    }),
  },
  edsz: {
    help: "Endpoints of a proxy; ?proxyID=",
    show: proxyPage(({ connection }) => dumpTypes(connection, [ENDPOINTS])),
  },
  ecdsz: {
    help: "Extension configurations of a proxy; ?proxyID=",
    show: proxyPage(({ connection }) => dumpTypes(connection, [EXTENSION_CONFIG])),
  },
  provenance: {
    help: "Each resource of a proxy with the objects that it comes from; ?proxyID=",
    show: proxyPage(({ connection }) =>
      Object.fromEntries(
        PUSH_ORDER.map((type) => [shortName(type) ?? type, dumpResources(connection, type)]),
      ),
    ),
  },
  instancesz: {
    help: "The services that lead to each proxy's workload",
    show: (sources) => json(instances(sources)),
  },
  sidecarz: {
    help: "What a proxy sees, and by which Sidecar; ?proxyID=",
    show: (sources, query) => proxyPage((proxy) => sidecarScope(sources, proxy))(sources, query),
  },
};

function typesNamed(text: string): TypeUrl[] {
  const names = new Set(text.toLowerCase().split(","));
  return TYPE_RULES.filter(
    ({ type, short }) => names.has(short) || names.has(type.toLowerCase()),
  ).map(({ type }) => type);
}

/** Names of types in the flat part of a sync status. */
const FLAT: readonly (readonly [name: string, type: TypeUrl])[] = [
  ["cluster", CLUSTER],
  ["listener", LISTENER],
  ["route", ROUTES],
  ["endpoint", ENDPOINTS],
  ["extensionconfig", EXTENSION_CONFIG],
];

function syncz(sources: DebugSources, namespace: string): object[] {
  return connectedProxies(sources)
    .filter(({ connection: { proxy } }) => namespace === "" || proxy.namespace === namespace)
    .map(({ stream, connection: { proxy } }) => {
      const watched = stream.subscriptions;
      const flat = FLAT.flatMap(([name, type]) => {
        const one = watched.get(type);
        return one === undefined || one.sentNonce === ""
          ? []
          : [
              [`${name}_sent`, one.sentNonce],
              [`${name}_acked`, one.ackedNonce],
            ];
      });
      const resources = [...watched].map(([type, one]) => [
        type,
        {
          sent: one.sentNonce,
          acked: one.ackedNonce,
          sentTime: stream.dateOf(one.lastSentAt)?.toISOString(),
          lastError: [...one.refusals][0]?.message,
          state: one.state,
        },
      ]);
      return {
        cluster_id: proxy.cluster,
        proxy: proxy.id,
        proxy_type: proxy.type,
        proxy_version: proxy.version,
        istio_version: proxy.istioVersion,
        ...Object.fromEntries(flat),
        resources: Object.fromEntries(resources),
      };
    });
}

function adsClients(sources: DebugSources, show: (proxy: ConnectedProxy) => object): object {
  const all = connectedProxies(sources);
  return { totalClients: all.length, clients: all.map(show) };
}

function connectionOf({ stream, connectionId }: ConnectedProxy): object {
  return { connectionId, connectedAt: stream.connectedAt.toISOString(), address: stream.peer };
}

/** A watch of everything stands there as `*`. */
function adsClient(one: ConnectedProxy): object {
  const { proxy } = one.connection;
  return {
    ...connectionOf(one),
    protocol: one.stream.protocol,
    labels: proxy.labels,
    metadata: { NAMESPACE: proxy.namespace, CLUSTER_ID: proxy.cluster, ...proxy.metadata },
    locality: proxy.locality,
    watches: Object.fromEntries(
      [...one.stream.subscriptions].map(([type, { wildcard, names }]) => [
        type,
        wildcard ? ["*", ...names] : [...names],
      ]),
    ),
  };
}

function instances(sources: DebugSources): object {
  const { context } = sources.pusher;
  return Object.fromEntries(
    connectedProxies(sources).map(({ connection: { proxy } }) => [
      proxy.id,
      scopesOf(context, proxy).workload.targets.map(({ host, source, port, targetPort }) => ({
        Service: { hostname: host, source },
        Port: {
          ServicePort: { name: port.name, port: port.number, protocol: port.protocol },
          TargetPort: targetPort,
        },
      })),
    ]),
  );
}

function sidecarScope({ pusher }: DebugSources, { connection }: ConnectedProxy): object {
  const { outbound, workload } = scopesOf(pusher.context, connection.proxy);
  const { list } = visibleServices(pusher.context, outbound);
  return {
    name: outbound.sidecar ?? "default",
    namespace: outbound.namespace,
    outbound,
    workload,
    services: list.map(({ host }) => host),
  };
}
