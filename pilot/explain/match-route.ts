/** Requests through a route configuration, the way Envoy decides. */

import { RE2JS } from "re2js";
import type {
  HeaderMatch,
  PathMatch,
  QueryMatch,
  Route,
  RouteConfiguration,
  VirtualHost,
} from "#pilot/ir/route.ts";

export interface Request {
  readonly host: string;
  /** With its query, `/a?b=c`. */
  readonly path: string;
  readonly method: string;
  readonly scheme: string;
  /** By lower-case name. */
  readonly headers: ReadonlyMap<string, string>;
}

/**
 * The virtual host of a Host header: the exact name, then the longest wildcard before, then behind
 * a name, then `*` (Envoy, "VirtualHost.domains").
 */
export function matchVirtualHost(
  configuration: RouteConfiguration,
  host: string,
): VirtualHost | undefined {
  const name = nameOf(host.toLowerCase(), configuration.ignorePort);
  let best: { host: VirtualHost; rank: number } | undefined;
  for (const virtualHost of configuration.virtualHosts) {
    for (const domain of virtualHost.domains) {
      const rank = rankOf(domain.toLowerCase(), name);
      if (rank > (best?.rank ?? 0)) best = { host: virtualHost, rank };
    }
  }
  return best?.host;
}

function nameOf(host: string, ignorePort: boolean): string {
  if (!ignorePort) return host;
  return host.startsWith("[") ? host.replace(/\]:\d+$/, "]") : host.replace(/:\d+$/, "");
}

function rankOf(domain: string, host: string): number {
  if (domain === host) return 1_000_000;
  if (domain === "*") return 1;
  if (domain.startsWith("*") && host.endsWith(domain.slice(1)) && host.length >= domain.length) {
    return 10_000 + domain.length;
  }
  const isPrefix = domain.endsWith("*") && host.startsWith(domain.slice(0, -1));
  return isPrefix && host.length >= domain.length ? 100 + domain.length : 0;
}

/** The first route that takes a request. */
export function matchRoute(host: VirtualHost, request: Request): Route | undefined {
  return host.routes.find((route) => takes(route, request));
}

function takes({ match }: Route, request: Request): boolean {
  const [path, query] = split(request.path);
  const parameters = parametersOf(query);
  return (
    matchesText(match.path, path) &&
    match.headers.every((header) => matchesHeader(header, request)) &&
    match.query.every((one) => matchesQuery(one, parameters))
  );
}

function split(path: string): [string, string] {
  const at = path.indexOf("?");
  return at < 0 ? [path, ""] : [path.slice(0, at), path.slice(at + 1)];
}

/** The first value of each name, as it was written: nothing is decoded. */
function parametersOf(query: string): ReadonlyMap<string, string> {
  const parameters = new Map<string, string>();
  for (const part of query.split("&")) {
    const at = part.indexOf("=");
    const name = at < 0 ? part : part.slice(0, at);
    if (!parameters.has(name)) parameters.set(name, at < 0 ? "" : part.slice(at + 1));
  }
  return parameters;
}

function matchesHeader({ name, match, invert }: HeaderMatch, request: Request): boolean {
  const value = headerOf(name, request);
  if (match === undefined) return (value !== undefined) !== invert;
  if (value === undefined && !invert) return false;
  return matchesText(match, value ?? "") !== invert;
}

function headerOf(name: string, request: Request): string | undefined {
  switch (name) {
    case ":method":
      return request.method;
    case ":authority":
    case "host":
      return request.host;
    case ":scheme":
      return request.scheme;
    case ":path":
      return request.path;
    default:
      return request.headers.get(name);
  }
}

function matchesQuery(
  { name, match }: QueryMatch,
  parameters: ReadonlyMap<string, string>,
): boolean {
  const value = parameters.get(name);
  if (value === undefined) return false;
  return match === undefined || matchesText(match, value);
}

function matchesText(match: PathMatch, text: string): boolean {
  switch (match.kind) {
    case "segments":
      return `${fold(match, text)}/`.startsWith(`${fold(match, match.value)}/`);
    case "exact":
      return fold(match, text) === fold(match, match.value);
    case "prefix":
      return fold(match, text).startsWith(fold(match, match.value));
    case "regex":
      return RE2JS.matches(match.value, text);
  }
}

function fold(match: { readonly ignoreCase?: boolean }, text: string): string {
  return match.ignoreCase === true ? text.toLowerCase() : text;
}
