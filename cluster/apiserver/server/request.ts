/** What a request asks for, read off its method, path and query (Kubernetes' RequestInfo). */

import type { IncomingHttpHeaders } from "node:http";
import type { User } from "#cluster/apiserver/auth/user.ts";

export type Verb =
  "get" | "list" | "watch" | "create" | "update" | "patch" | "delete" | "deletecollection";

export interface ResourceInfo {
  kind: "resource";
  verb: Verb;
  /** Empty for the core group. */
  group: string;
  version: string;
  plural: string;
  /** Empty for cluster-scoped resources and for lists across namespaces. */
  namespace: string;
  /** Empty for collections. */
  name: string;
  /** Empty for the object itself. */
  subresource: string;
}

/** A path that is no resource: discovery, health, version. `verb` is the method in lower case. */
export interface PathInfo {
  kind: "path";
  verb: string;
  path: string;
}

export type RequestInfo = ResourceInfo | PathInfo;

/** One request after authentication, as every handler gets it. */
export interface ApiRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  readonly info: RequestInfo;
  readonly user: User;
  /** Aborts when the client goes away or the server stops. */
  readonly signal: AbortSignal;
  /** Handlers add what the client should read (`Warning` headers). */
  readonly warnings: string[];
  /** The whole body; too large a one is refused with RequestEntityTooLarge. */
  readBody(): Promise<Uint8Array>;
}

/** A request for a resource, so that handlers needn't ask again which it is. */
export type ResourceRequest = ApiRequest & { readonly info: ResourceInfo };

export function isResourceRequest(request: ApiRequest): request is ResourceRequest {
  return request.info.kind === "resource";
}

/** Subresources of namespaces; anything else after a namespace's name is a resource in it. */
const NAMESPACE_SUBRESOURCES = new Set(["status", "finalize"]);

/**
 * `undefined` when the path can't be decoded, or a segment hides a slash or climbs: names become
 * keys of the store.
 */
export function parseRequestInfo(
  method: string,
  path: string,
  query: URLSearchParams,
): RequestInfo | undefined {
  let segments: string[];
  try {
    segments = path.split("/").filter(Boolean).map(decodeURIComponent);
  } catch {
    return undefined;
  }
  if (segments.some((segment) => segment.includes("/") || /^\.\.?$/.test(segment))) {
    return undefined;
  }
  const asPath: PathInfo = { kind: "path", verb: method.toLowerCase(), path };
  const prefixLength = segments[0] === "api" ? 2 : segments[0] === "apis" ? 3 : undefined;
  if (prefixLength === undefined || segments.length <= prefixLength) return asPath;
  const group = segments[0] === "api" ? "" : (segments[1] ?? "");
  const version = segments[prefixLength - 1] ?? "";
  let rest = segments.slice(prefixLength);
  const legacyWatch = rest[0] === "watch" && rest.length > 1;
  if (legacyWatch) rest = rest.slice(1);
  const place = placeOf(rest);
  const watch = legacyWatch || isTrue(query.get("watch"));
  const verb = verbOf(method, place, watch);
  if (verb === undefined) return asPath;
  return { kind: "resource", verb, group, version, ...place };
}

type Place = Pick<ResourceInfo, "plural" | "namespace" | "name" | "subresource">;

function placeOf(segments: readonly string[]): Place {
  const [first = "", namespace = "", third = "", name = "", ...subresource] = segments;
  if (first === "namespaces" && third !== "" && !NAMESPACE_SUBRESOURCES.has(third)) {
    return { namespace, plural: third, name, subresource: subresource.join("/") };
  }
  const [plural = "", clusterName = "", ...rest] = segments;
  // A namespace is also inside itself: that is what Kubernetes' authorizers see.
  const inside = plural === "namespaces" ? clusterName : "";
  return { namespace: inside, plural, name: clusterName, subresource: rest.join("/") };
}

function verbOf(method: string, place: Place, watch: boolean): Verb | undefined {
  switch (method) {
    case "GET":
    case "HEAD":
      if (watch && place.subresource === "") return "watch";
      return place.name === "" ? "list" : "get";
    case "POST":
      return "create";
    case "PUT":
      return "update";
    case "PATCH":
      return "patch";
    case "DELETE":
      return place.name === "" ? "deletecollection" : "delete";
    default:
      return undefined;
  }
}

/** How query parameters say yes (`watch=true`, `watch=1`). */
export function isTrue(value: string | null): boolean {
  return value === "true" || value === "1" || value === "True" || value === "t";
}
