/** Filters of an HTTPRoute → fields of a VirtualService's rule. */

import type {
  BackendObjectReference,
  CorsPolicy,
  Destination,
  HTTPCORSFilter,
  HTTPHeaderFilter,
  HTTPHeaderValue,
  HTTPMirrorPolicy,
  HTTPRedirect,
  HTTPRequestMirrorFilter,
  HTTPRequestRedirectFilter,
  HTTPRewrite,
  HTTPRouteFilter,
  HTTPURLRewriteFilter,
  HeaderOperations,
  Headers,
  StringMatch,
} from "#crds/types/networking-v1.ts";
import type { Verdict } from "./http-route-parent.ts";

/** Where a reference leads; `missing` where that doesn't exist now. */
export type BackendResult =
  | { readonly ok: true; readonly destination: Destination; readonly missing?: Verdict }
  | ({ readonly ok: false } & Verdict);

export interface Filtered {
  readonly headers?: Headers;
  readonly cors?: CorsPolicy;
  readonly redirect?: HTTPRedirect;
  readonly rewrite?: HTTPRewrite;
  /** The rewrite leaves nothing of a matched prefix. */
  readonly removesPrefix: boolean;
  readonly mirrors: readonly HTTPMirrorPolicy[];
  /** Part of the rule → path of the filter that it comes from. */
  readonly parts: Readonly<Record<string, string>>;
  readonly refused: readonly (Verdict & { readonly path: string; readonly fatal: boolean })[];
  readonly missing: readonly Verdict[];
}

type Draft = { -readonly [K in keyof Filtered]: Filtered[K] } & {
  mirrors: HTTPMirrorPolicy[];
  parts: Record<string, string>;
  refused: Filtered["refused"][number][];
  missing: Verdict[];
};

/** Of single backends only headers are changed, as in Istio. A mirror that can't be is left out. */
export function applyFilters(
  filters: readonly HTTPRouteFilter[],
  resolve: (ref: BackendObjectReference) => BackendResult,
  path: string,
  of: "rule" | "backend" = "rule",
): Filtered {
  const draft: Draft = { removesPrefix: false, mirrors: [], parts: {}, refused: [], missing: [] };
  for (const [at, filter] of filters.entries()) {
    const where = `${path}[${at}]`;
    const isKnown = of === "rule" || filter.type.endsWith("HeaderModifier");
    if (isKnown && apply(filter, draft, resolve, where)) continue;
    const message = `${filter.type} isn't done here: requests that need it are answered 500`;
    draft.refused.push({ path: where, reason: "InvalidFilter", message, fatal: true });
  }
  return draft;
}

/** False for filters that nobody here knows. */
function apply(
  filter: HTTPRouteFilter,
  draft: Draft,
  resolve: (ref: BackendObjectReference) => BackendResult,
  path: string,
): boolean {
  switch (filter.type) {
    case "RequestHeaderModifier":
      draft.headers = { ...draft.headers, request: operations(filter.requestHeaderModifier) };
      draft.parts["headers.request"] = `${path}.requestHeaderModifier`;
      return true;
    case "ResponseHeaderModifier":
      draft.headers = { ...draft.headers, response: operations(filter.responseHeaderModifier) };
      draft.parts["headers.response"] = `${path}.responseHeaderModifier`;
      return true;
    case "RequestRedirect":
      draft.redirect = redirectOf(filter.requestRedirect ?? {});
      draft.parts["redirect"] = `${path}.requestRedirect`;
      return true;
    case "URLRewrite": {
      const rewrite = rewriteOf(filter.urlRewrite ?? {});
      if (Object.keys(rewrite).length > 0) draft.rewrite = rewrite;
      draft.removesPrefix = rewrite.uri === "/";
      draft.parts["rewrite"] = `${path}.urlRewrite`;
      return true;
    }
    case "CORS":
      draft.cors = corsOf(filter.cors ?? {});
      draft.parts["corsPolicy"] = `${path}.cors`;
      return true;
    case "RequestMirror":
      mirror(filter.requestMirror, draft, resolve, `${path}.requestMirror`);
      return true;
    case "ExtensionRef":
    default:
      return false;
  }
}

function mirror(
  spec: HTTPRequestMirrorFilter | undefined,
  draft: Draft,
  resolve: (ref: BackendObjectReference) => BackendResult,
  path: string,
): void {
  if (spec === undefined) return;
  const backend = resolve(spec.backendRef);
  if (!backend.ok) {
    const { reason, message } = backend;
    draft.refused.push({ path: `${path}.backendRef`, reason, message, fatal: false });
    return;
  }
  if (backend.missing !== undefined) {
    draft.missing.push(backend.missing);
    return;
  }
  const { fraction, percent } = spec;
  const value =
    fraction === undefined
      ? percent
      : (100 * fraction.numerator) / Math.max(1, fraction.denominator ?? 100);
  draft.parts[`mirrors[${draft.mirrors.length}]`] = `${path}.backendRef`;
  const percentage = value === undefined ? {} : { percentage: { value } };
  draft.mirrors.push({ destination: backend.destination, ...percentage });
}

function operations(filter: HTTPHeaderFilter | undefined): HeaderOperations {
  const { add = [], set = [], remove = [] } = filter ?? {};
  return {
    ...(set.length === 0 ? {} : { set: byName(set) }),
    ...(add.length === 0 ? {} : { add: byName(add) }),
    ...(remove.length === 0 ? {} : { remove }),
  };
}

/** Of equal names the first counts. */
function byName(values: readonly HTTPHeaderValue[]): Record<string, string> {
  return Object.fromEntries(
    values.map(({ name, value }) => [name.toLowerCase(), value]).toReversed(),
  );
}

/** The scheme's port where one is named, else the one that was asked for. */
function redirectOf(filter: HTTPRequestRedirectFilter): HTTPRedirect {
  const { hostname, path, port, scheme, statusCode = 302 } = filter;
  return {
    redirectCode: statusCode,
    ...(hostname === undefined ? {} : { authority: hostname }),
    ...(scheme === undefined ? {} : { scheme }),
    ...(port === undefined
      ? { derivePort: scheme === undefined ? "FROM_REQUEST_PORT" : "FROM_PROTOCOL_DEFAULT" }
      : { port }),
    ...(path?.replaceFullPath === undefined ? {} : { uri: path.replaceFullPath }),
    ...(path?.replacePrefixMatch === undefined
      ? {}
      : { prefixRewrite: path.replacePrefixMatch === "" ? "/" : path.replacePrefixMatch }),
  };
}

function rewriteOf({ hostname, path }: HTTPURLRewriteFilter): HTTPRewrite {
  const authority = hostname === undefined ? {} : { authority: hostname };
  if (path?.replaceFullPath !== undefined) {
    const uriRegexRewrite = { match: "/.*", rewrite: path.replaceFullPath };
    return { ...authority, uriRegexRewrite };
  }
  if (path?.replacePrefixMatch === undefined) return authority;
  const uri = path.replacePrefixMatch.replace(/\/$/, "");
  return { ...authority, uri: uri === "" ? "/" : uri };
}

function corsOf(filter: HTTPCORSFilter): CorsPolicy {
  const { allowOrigins = [], allowMethods, allowHeaders, exposeHeaders, maxAge = 5 } = filter;
  return {
    allowOrigins: allowOrigins.map(originMatch),
    ...(allowMethods === undefined ? {} : { allowMethods }),
    ...(allowHeaders === undefined ? {} : { allowHeaders }),
    ...(exposeHeaders === undefined ? {} : { exposeHeaders }),
    ...(filter.allowCredentials === true ? { allowCredentials: true } : {}),
    ...(maxAge > 0 ? { maxAge: `${maxAge}s` } : {}),
    unmatchedPreflights: "IGNORE",
  };
}

/** `*` is any origin that is one (RFC 6454); a `*` in a host stands for any text. */
function originMatch(origin: string): StringMatch {
  if (origin === "*") return { regex: String.raw`^[a-zA-Z][a-zA-Z0-9+.-]*://[^/\s?#]+$` };
  if (!origin.includes("*")) return { exact: origin };
  if (origin.indexOf("*") === origin.length - 1) return { prefix: origin.slice(0, -1) };
  const pattern = origin.replace(/[.+?^${}()|[\]\\]/g, String.raw`\$&`).replaceAll("*", ".*");
  return { regex: `^${pattern}$` };
}
