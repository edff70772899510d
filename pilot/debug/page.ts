/** What a page is made of, and what it looks into. */

import type { Metrics } from "./metrics.ts";
import type { Problem } from "#pilot/model/problem.ts";
import type { Connection } from "#pilot/push/connection.ts";
import type { Pusher } from "#pilot/push/pusher.ts";
import type { Rejection } from "#pilot/xds/stream-events.ts";
import type { DiscoveryStream } from "#pilot/xds/stream.ts";

export interface DebugSources {
  pusher: Pusher;
  streams: () => readonly DiscoveryStream[];
  metrics: Metrics;
  /** What proxies refuse now, oldest first. */
  rejections: () => readonly Rejection[];
  /** Problems of objects by themselves. */
  objectProblems: () => readonly Problem[];
  /** What objects' statuses say, or would where there is no API server. */
  statuses: () => readonly { key: string; generation: number; status: object }[];
  isReady: () => boolean;
  version: string;
}

export interface Page {
  status: number;
  contentType: string;
  body: string;
}

export interface PageHandler {
  help: string;
  show: (sources: DebugSources, query: URLSearchParams) => Page;
}

export function text(status: number, body: string, parameters = "; charset=utf-8"): Page {
  return { status, contentType: `text/plain${parameters}`, body };
}

export function json(value: unknown, status = 200): Page {
  return { status, contentType: "application/json", body: `${JSON.stringify(value, null, 2)}\n` };
}

/** A proxy that is connected, with its stream. */
export interface ConnectedProxy {
  readonly stream: DiscoveryStream;
  readonly connection: Connection;
  /** The node id and the number of the connection, as Istio names connections. */
  readonly connectionId: string;
}

/** Oldest first; streams that haven't said yet who they are, are none. */
export function connectedProxies({ streams }: DebugSources): ConnectedProxy[] {
  return streams().flatMap((stream) => {
    const connection = stream.view as Connection | undefined;
    if (connection === undefined) return [];
    return [{ stream, connection, connectionId: `${connection.proxy.id}-${stream.number}` }];
  });
}

const NOT_CONNECTED =
  "Proxy not connected to this Pilot instance. It may be connected to another instance.\n";

/** The page of one proxy: `proxyID` is a node id, its part `pod.namespace`, or any part of it. */
export function proxyPage(show: (proxy: ConnectedProxy, query: URLSearchParams) => unknown) {
  return (sources: DebugSources, query: URLSearchParams): Page => {
    const id = query.get("proxyID") ?? "";
    if (id === "") return text(400, "You must provide a proxyID in the query string\n");
    const proxy = findProxy(sources, id);
    return proxy === undefined ? text(404, NOT_CONNECTED) : json(show(proxy, query));
  };
}

export function findProxy(sources: DebugSources, id: string): ConnectedProxy | undefined {
  const all = connectedProxies(sources);
  return (
    all.find(({ connection: { proxy } }) => proxy.id === id || proxy.name === id) ??
    all.find(({ connectionId }) => connectionId.includes(id))
  );
}
