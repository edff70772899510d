/** The debug pages, in the shapes of Istio's where there are such; read-only. */

import { configDump, dumpResources } from "./config-dump.ts";
import type { Gauges, Metrics } from "./metrics.ts";
import { PUSH_ORDER, shortName } from "#pilot/cache/type-url.ts";
import type { ModelObject, Service } from "#pilot/model/object.ts";
import type { Problem } from "#pilot/model/problem.ts";
import { allServices } from "#pilot/model/push-context.ts";
import type { PushContext } from "#pilot/model/push-context.ts";
import type { Connection } from "#pilot/push/connection.ts";
import type { Pusher } from "#pilot/push/pusher.ts";
import type { DiscoveryStream } from "#pilot/xds/stream.ts";
import type { Rejection } from "#pilot/xds/stream-events.ts";

/** What the pages look into. */
export interface DebugSources {
  pusher: Pusher;
  streams: () => readonly DiscoveryStream[];
  metrics: Metrics;
  /** What proxies refuse now, oldest first. */
  rejections: () => readonly Rejection[];
  /** Problems of objects by themselves. */
  objectProblems: () => readonly Problem[];
  isReady: () => boolean;
  version: string;
}

export interface Page {
  status: number;
  contentType: string;
  body: string;
}

type Handler = (sources: DebugSources, query: URLSearchParams) => Page;

/** Path → page. Those under `/debug/` show configuration and are for the machine itself only. */
export const PAGES: ReadonlyMap<string, Handler> = new Map<string, Handler>([
  ["/ready", ({ isReady }) => text(isReady() ? 200 : 503, isReady() ? "ready\n" : "not ready\n")],
  ["/version", ({ version }) => text(200, `${version}-lateen-Clean`)],
  ["/metrics", (sources) => text(200, sources.metrics.text(gaugesOf(sources)), "; version=0.0.4")],
  ["/debug/syncz", (sources) => json(sources.streams().map(syncStatus))],
  ["/debug/adsz", (sources) => json(adsz(sources.streams()))],
  ["/debug/config_dump", (sources, query) => proxyPage(sources, query, (one) => configDump(one))],
  ["/debug/resourcesz", (sources, query) => proxyPage(sources, query, resourcesOf)],
  ["/debug/registryz", ({ pusher }) => json(allServices(pusher.context).map(registryEntry))],
  ["/debug/endpointz", ({ pusher }) => json(ofKind(pusher.context, "EndpointSet"))],
  ["/debug/configz", ({ pusher }) => json(configObjects(pusher.context))],
  ["/debug/push_status", (sources) => json(pushStatus(sources))],
]);

function text(status: number, body: string, parameters = "; charset=utf-8"): Page {
  return { status, contentType: `text/plain${parameters}`, body };
}

function json(value: unknown, status = 200): Page {
  return { status, contentType: "application/json", body: `${JSON.stringify(value, null, 2)}\n` };
}

/** All problems that are known, each once. */
function allProblems({ pusher, objectProblems }: DebugSources): Pick<Problem, "reason">[] {
  const byText = new Map<string, Pick<Problem, "reason">>();
  for (const problem of [...objectProblems(), ...pusher.problems()]) {
    const { object, path, reason, message } = problem;
    byText.set(`${object} ${path} ${reason} ${message}`, problem);
  }
  return [...byText.values()];
}

function gaugesOf(sources: DebugSources): Gauges {
  const { pusher } = sources;
  const proxies = new Map<string, number>();
  for (const { proxy } of pusher.connections) {
    const version = proxy.version === "" ? "unknown" : proxy.version;
    proxies.set(version, (proxies.get(version) ?? 0) + 1);
  }
  const problems = new Map<string, number>();
  for (const { reason } of allProblems(sources))
    problems.set(reason, (problems.get(reason) ?? 0) + 1);
  return {
    proxies,
    services: allServices(pusher.context).length,
    virtualServices: ofKind(pusher.context, "VirtualService").length,
    scopes: pusher.scopes().length,
    problems,
  };
}

/** envoy.service.status.v3.ClientConfig, as `istioctl proxy-status` reads it. */
function syncStatus(stream: DiscoveryStream): object {
  const view = stream.view as Connection | undefined;
  return {
    node: {
      id: view?.proxyId ?? "",
      metadata: { CLUSTER_ID: view?.proxy.cluster ?? "", NAMESPACE: view?.proxy.namespace ?? "" },
    },
    genericXdsConfigs: [...stream.subscriptions].map(([typeUrl, one]) => {
      const behind = one.outstanding !== undefined || one.hasMore;
      const configStatus = one.sentNonce === "" ? "NOT_SENT" : behind ? "STALE" : "SYNCED";
      return { typeUrl, configStatus };
    }),
  };
}

function adsz(streams: readonly DiscoveryStream[]): object {
  return {
    totalClients: streams.length,
    clients: streams.map((stream) => ({
      connectionId: stream.view?.proxyId ?? "",
      connectedAt: stream.connectedAt.toISOString(),
      address: stream.peer,
      protocol: stream.protocol,
      watches: Object.fromEntries(
        [...stream.subscriptions].map(([type, one]) => [
          shortName(type) ?? type,
          {
            wildcard: one.wildcard,
            names: one.names.size,
            nonceSent: one.sentNonce,
            nonceAcked: one.ackedNonce,
            lacking: one.lacking.size,
          },
        ]),
      ),
    })),
  };
}

/** `proxyID` is a node id, or its part `pod.namespace`. */
function proxyPage(
  { pusher }: DebugSources,
  query: URLSearchParams,
  show: (connection: Connection) => unknown,
): Page {
  const id = query.get("proxyID") ?? "";
  const found = [...pusher.connections].find(
    ({ proxy }) => proxy.id === id || proxy.name === id || proxy.id.split("~")[2] === id,
  );
  if (found !== undefined) return json(show(found));
  const ids = [...pusher.connections].slice(0, 100).map(({ proxy }) => proxy.name);
  return json({ error: "no proxy of this proxyID is connected", connected: ids }, 404);
}

function resourcesOf(connection: Connection): object {
  return Object.fromEntries(
    PUSH_ORDER.map((type) => [shortName(type) ?? type, dumpResources(connection, type)]),
  );
}

function registryEntry(service: Service): object {
  return {
    Attributes: {
      ServiceRegistry: service.source.startsWith("Service/") ? "Kubernetes" : "External",
      Name: service.name,
      Namespace: service.namespace,
      Labels: service.labels,
    },
    hostname: service.host,
    clusterVIPs: service.addresses,
    ports: service.ports.map(({ name, number, protocol }) => ({ name, port: number, protocol })),
    creationTime: service.creationTimestamp,
    resolution: service.resolution,
  };
}

function ofKind<K extends ModelObject["kind"]>(
  context: PushContext,
  kind: K,
): Extract<ModelObject, { kind: K }>[] {
  return [...context.objects.values()]
    .filter((object): object is Extract<ModelObject, { kind: K }> => object.kind === kind)
    .toSorted((left, right) => (left.key < right.key ? -1 : 1));
}

function configObjects(context: PushContext): object[] {
  return [...context.objects.values()]
    .flatMap((object) => ("spec" in object ? [object] : []))
    .toSorted((left, right) => (left.key < right.key ? -1 : 1))
    .map(({ kind, group, name, namespace, labels, annotations, generation, spec }) => ({
      kind,
      apiVersion: `${group}/v1`,
      metadata: { name, namespace, labels, annotations, generation },
      spec,
    }));
}

/** Reason → object → all that is to be said; rejections of proxies stand under `NACK`. */
function pushStatus(sources: DebugSources): Record<string, Record<string, object[]>> {
  const status = new Map<string, Map<string, object[]>>();
  const note = (reason: string, object: string, what: object): void => {
    const objects = status.get(reason) ?? new Map<string, object[]>();
    status.set(reason, objects.set(object, [...(objects.get(object) ?? []), what]));
  };
  for (const problem of allProblems(sources)) {
    const { object, path, message } = problem as Problem;
    note(problem.reason, object, { path, message });
  }
  for (const { proxyId, type, message, resources } of sources.rejections()) {
    const objects = new Set(resources.flatMap(({ origins }) => origins.map((one) => one.object)));
    for (const object of [...objects].slice(0, 100))
      note("NACK", object, { proxyId, type, message });
  }
  return Object.fromEntries(
    [...status].map(([reason, objects]) => [reason, Object.fromEntries(objects)]),
  );
}
