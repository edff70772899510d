/**
 * A described call through what was translated for a proxy: which listener, chain, virtual host and
 * route it meets and where it ends. Reads the IR alone; nothing is translated again to explain it.
 */

import type { FilterChain, Listener } from "#pilot/ir/listener.ts";
import type { Origin } from "#pilot/ir/origin.ts";
import type { Route, RouteConfiguration } from "#pilot/ir/route.ts";
import type { Secret } from "#pilot/ir/secret.ts";
import { type Connection, matchChain } from "./match-chain.ts";
import { type Request, matchRoute, matchVirtualHost } from "./match-route.ts";
import { normalizePath } from "./normalize-path.ts";
import { authorityBehind, locationOf, pathBehind } from "./rewrite.ts";

/** A call as the proxy sees it. Unset fields are those of a plain `GET /`. */
export interface Call {
  /** `inbound` calls arrive redirected at the workload; others look for a listener. */
  readonly direction?: "outbound" | "inbound";
  readonly address?: string;
  readonly port: number;
  readonly protocol?: "http" | "http2" | "tcp";
  readonly tls?: boolean;
  readonly serverName?: string;
  readonly host?: string;
  readonly path?: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A request as a destination gets it. */
export interface Forwarded {
  readonly cluster: string;
  readonly authority: string;
  readonly path: string;
}

export interface Outcome {
  readonly listener?: string;
  readonly chain?: string;
  readonly routeConfiguration?: string;
  readonly virtualHost?: string;
  readonly route?: Route;
  /** Cluster → share of 1. */
  readonly clusters: Readonly<Record<string, number>>;
  /** Of a request: what each of the clusters would get. */
  readonly requests?: readonly Forwarded[];
  /** Where a redirected client is sent. */
  readonly location?: string;
  /**
   * Why the call fails before any cluster: `404`, `301`, `closed`, `protocol error`, or a status.
   */
  readonly error?: string;
  readonly origins: readonly Origin[];
}

/** What a proxy was given that calls can meet. */
export interface ProxyView {
  readonly listeners: readonly Listener[];
  readonly routes: readonly RouteConfiguration[];
  /** Absent: every certificate is there. */
  readonly secrets?: readonly Secret[];
}

export function simulate(view: ProxyView, call: Call): Outcome {
  const listener = findListener(view, call);
  if (listener === undefined) return { clusters: {}, error: "closed", origins: [] };
  const chain = matchChain(listener, connectionOf(call, listener));
  const found = { listener: listener.name, clusters: {} };
  if (chain === undefined) return { ...found, error: "closed", origins: listener.origins };
  const entered = { ...found, ...(chain.name === undefined ? {} : { chain: chain.name }) };
  if (chain.tls !== undefined && (call.tls !== true || !hasSecrets(view, chain))) {
    return { ...entered, error: "closed", origins: chain.origins };
  }
  if (chain.connection.kind === "tcp") {
    return { ...entered, clusters: shares(chain.connection.clusters), origins: chain.origins };
  }
  if (call.protocol === "tcp" || (call.tls === true && chain.tls === undefined)) {
    return { ...entered, error: "protocol error", origins: chain.origins };
  }
  return { ...entered, ...routed(view, chain, requestOf(call, listener)) };
}

/** A proxy closes connections that need a certificate which it hasn't got. */
function hasSecrets({ secrets }: ProxyView, { tls }: FilterChain): boolean {
  if (secrets === undefined || tls === undefined) return true;
  return [...tls.credentials, ...(tls.trust === undefined ? [] : [tls.trust])].every(
    (source) => source.kind !== "named" || secrets.some(({ name }) => name === source.name),
  );
}

function findListener(view: ProxyView, call: Call): Listener | undefined {
  const at = (address: string, port: number): Listener | undefined =>
    view.listeners.find(
      (one) => one.port === port && [one.address, ...one.additionalAddresses].includes(address),
    );
  if (call.direction === "inbound") {
    return view.listeners.find((one) => one.name === "virtualInbound");
  }
  return (
    at(call.address ?? "192.0.2.1", call.port) ??
    at("0.0.0.0", call.port) ??
    view.listeners.find((one) => one.useOriginalDestination)
  );
}

function connectionOf(call: Call, listener: Listener): Connection {
  const plain = call.tls !== true;
  const sniffs =
    listener.inspectors.includes("http") && !listener.uninspectedPorts.includes(call.port);
  const spoken = call.protocol === "http2" ? "h2c" : call.protocol === "tcp" ? "" : "http/1.1";
  return {
    address: call.address ?? "192.0.2.1",
    port: call.port,
    tls: !plain,
    serverName: call.serverName ?? (plain ? "" : (call.host ?? "")),
    applicationProtocol: plain && sniffs ? spoken : "",
  };
}

type Routed = Omit<Outcome, "listener" | "chain">;

function routed(view: ProxyView, chain: FilterChain, request: Request): Routed {
  if (chain.connection.kind !== "http") return { clusters: {}, origins: chain.origins };
  const { routes } = chain.connection;
  const configuration =
    routes.kind === "inline"
      ? routes.configuration
      : view.routes.find((one) => one.name === routes.name);
  if (configuration === undefined) return { clusters: {}, error: "404", origins: chain.origins };
  const host = matchVirtualHost(configuration, request.host);
  const base = { routeConfiguration: configuration.name, clusters: {} };
  if (host === undefined) return { ...base, error: "404", origins: configuration.origins };
  const inHost = { ...base, virtualHost: host.name };
  if (host.requireTls && request.scheme !== "https") {
    const location = `https://${request.host}${request.path}`;
    return { ...inHost, error: "301", location, origins: host.origins };
  }
  const route = matchRoute(host, request);
  if (route === undefined) return { ...inHost, error: "404", origins: host.origins };
  return { ...inHost, route, ...ending(route, request), origins: route.origins };
}

function requestOf(call: Call, { pathNormalization }: Listener): Request {
  return {
    host: call.host ?? "",
    path: normalizePath(call.path ?? "/", pathNormalization),
    method: call.method ?? "GET",
    scheme: call.tls === true ? "https" : "http",
    headers: new Map(
      Object.entries(call.headers ?? {}).map(([name, value]) => [
        name.toLowerCase(),
        value.replaceAll(/^[ \t]+|[ \t]+$/g, ""),
      ]),
    ),
  };
}

function ending(
  { action, match }: Route,
  request: Request,
): Pick<Outcome, "clusters" | "requests" | "location" | "error"> {
  switch (action.kind) {
    case "forward": {
      const path = pathBehind(action, match, request.path);
      const requests = action.clusters.map((one) => ({
        cluster: one.cluster,
        authority: authorityBehind(action, one, request.host),
        path,
      }));
      return { clusters: shares(action.clusters), requests };
    }
    case "redirect": {
      const location = locationOf(action, match, request);
      return { clusters: {}, location, error: String(action.code) };
    }
    case "respond":
      return { clusters: {}, error: String(action.status) };
  }
}

function shares(
  clusters: readonly { readonly cluster: string; readonly weight: number }[],
): Record<string, number> {
  const total = clusters.reduce((sum, one) => sum + one.weight, 0);
  const byName = new Map<string, number>();
  for (const { cluster, weight } of clusters) {
    byName.set(cluster, (byName.get(cluster) ?? 0) + weight / total);
  }
  return Object.fromEntries(byName);
}
