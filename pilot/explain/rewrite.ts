/** What a route makes of a request: what its destinations get, or where its client is sent. */

import { RE2JS } from "re2js";
import type {
  ForwardAction,
  PathRewrite,
  RedirectAction,
  RouteMatch,
  WeightedCluster,
} from "#pilot/ir/route.ts";
import type { Request } from "./match-route.ts";

export function pathBehind(action: ForwardAction, match: RouteMatch, path: string): string {
  return action.pathRewrite === undefined ? path : rewritten(action.pathRewrite, match, path);
}

/** The route's name for its destinations goes before what one of them has for itself. */
export function authorityBehind(
  action: ForwardAction,
  cluster: WeightedCluster,
  host: string,
): string {
  return action.hostRewrite ?? cluster.hostRewrite ?? host;
}

/** The Location header: the request's own URL but for what the action names. */
export function locationOf(
  action: RedirectAction,
  match: RouteMatch,
  request: Pick<Request, "scheme" | "host" | "path">,
): string {
  const scheme = action.scheme ?? request.scheme;
  const port = action.port === undefined ? "" : `:${action.port}`;
  const host = action.host ?? ownHost(request, scheme, action.port !== undefined);
  return `${scheme}://${host}${port}${redirectedPath(action, match, request.path)}`;
}

/** The host of a request without a port that another one, or another scheme, makes wrong. */
function ownHost(
  { host, scheme: own }: Pick<Request, "scheme" | "host">,
  scheme: string,
  replacesPort: boolean,
): string {
  const at = host.startsWith("[") ? host.lastIndexOf("]:") + 1 : host.lastIndexOf(":");
  if (at <= 0) return host;
  const isDefault = host.slice(at) === (own === "https" ? ":443" : ":80");
  return replacesPort || (scheme !== own && isDefault) ? host.slice(0, at) : host;
}

function redirectedPath({ path: to }: RedirectAction, match: RouteMatch, path: string): string {
  if (to === undefined) return path;
  if (to.kind === "prefix") return rewritten({ kind: "prefix", value: to.value }, match, path);
  return to.value.includes("?") ? to.value : to.value + queryOf(path);
}

/** Only a prefix match leaves the path behind the prefix; every rewrite leaves the query. */
function rewritten(rewrite: PathRewrite, match: RouteMatch, path: string): string {
  const query = queryOf(path);
  const alone = path.slice(0, path.length - query.length);
  if (rewrite.kind === "prefix") {
    const kept = match.path.kind === "prefix" ? alone.slice(match.path.value.length) : "";
    return rewrite.value + kept + query;
  }
  return replaceAll(rewrite.pattern, rewrite.substitution, alone) + query;
}

function queryOf(path: string): string {
  const at = path.search(/[?#]/);
  return at < 0 ? "" : path.slice(at);
}

/**
 * RE2's `GlobalReplace`: `\1` is the first group, `\0` the whole match, `\\` a backslash. Nothing is
 * found right behind what was found.
 */
function replaceAll(pattern: string, substitution: string, text: string): string {
  const matcher = RE2JS.compile(pattern).matcher(text);
  let made = "";
  let end = 0;
  let found = false;
  while (matcher.find()) {
    if (found && matcher.end() === end) continue;
    found = true;
    const replacement = substitution.replaceAll(/\\([0-9\\])/g, (_, of: string) =>
      of === "\\" ? of : Number(of) > matcher.groupCount() ? "" : (matcher.group(Number(of)) ?? ""),
    );
    made += text.slice(end, matcher.start()) + replacement;
    end = matcher.end();
  }
  return made + text.slice(end);
}
