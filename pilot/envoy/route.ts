/** envoy.config.route.v3: RouteConfiguration, VirtualHost, Route. */

import type {
  ForwardAction,
  HashPolicy,
  HeaderMatch,
  HeaderOperations,
  RedirectAction,
  RespondAction,
  RetryPolicy,
  Route,
  RouteConfiguration,
  RouteMatch,
  VirtualHost,
  WeightedCluster,
} from "#pilot/ir/route.ts";
import { duration, extension, FROM_ADS, fractionalPercent, nonEmpty, set } from "./any.ts";
import { corsOfRoute } from "./filters/cors.ts";
import { faultOfRoute } from "./filters/fault.ts";
import { configPath, istioMetadata } from "./metadata.ts";
import { stringMatcher } from "./string-matcher.ts";

const MAX_BODY_BYTES = 1_048_576;

/**
 * Whose routes: those at the workload itself are limited by streams, the others by gRPC timeouts.
 */
export type RouteSide = "outbound" | "inbound";

export function buildRouteConfiguration(
  configuration: RouteConfiguration,
  side: RouteSide,
  virtualHosts: readonly object[],
): object {
  return {
    ...frame(configuration, side),
    ...nonEmpty({ virtualHosts }),
  };
}

/** The same without its virtual hosts, which come by themselves. */
export function buildVhdsConfiguration(configuration: RouteConfiguration): object {
  return { ...frame(configuration, "outbound"), vhds: { configSource: FROM_ADS } };
}

/** A route to an unknown cluster is served as 503 rather than refusing the whole configuration. */
function frame(configuration: RouteConfiguration, side: RouteSide): object {
  return {
    name: configuration.name,
    validateClusters: false,
    ...(side === "outbound" ? { maxDirectResponseBodySizeBytes: MAX_BODY_BYTES } : {}),
    ...(configuration.ignorePort ? { ignorePortInHostMatching: true } : {}),
  };
}

/** `name` differs from the host's own where it travels alone. */
export function buildVirtualHost(host: VirtualHost, side: RouteSide, name = host.name): object {
  return {
    name,
    domains: host.domains,
    ...nonEmpty({ routes: host.routes.map((route) => buildRoute(route, side)) }),
    ...(host.requireTls ? { requireTls: "ALL" } : {}),
    ...(side === "outbound" ? { includeRequestAttemptCount: true } : {}),
  };
}

function buildRoute(route: Route, side: RouteSide): object {
  const { action } = route;
  const single =
    action.kind === "forward" && action.clusters.length === 1 ? action.clusters[0] : undefined;
  const perFilter = {
    ...(route.fault === undefined ? {} : faultOfRoute(route.fault)),
    ...(route.cors === undefined ? {} : corsOfRoute(route.cors)),
  };
  return {
    ...(route.name === "" ? {} : { name: route.name }),
    match: buildMatch(route.match),
    ...buildAction(action, side),
    ...istioMetadata({ config: configPath(route.origins) }),
    ...(route.statPrefix === undefined ? {} : { statPrefix: route.statPrefix }),
    ...(route.operation === undefined ? {} : { decorator: { operation: route.operation } }),
    ...headerFields("request", joinOperations(route.requestHeaders, single?.requestHeaders)),
    ...headerFields("response", joinOperations(route.responseHeaders, single?.responseHeaders)),
    ...(Object.keys(perFilter).length === 0 ? {} : { typedPerFilterConfig: perFilter }),
  };
}

function joinOperations(
  left: HeaderOperations | undefined,
  right: HeaderOperations | undefined,
): HeaderOperations | undefined {
  if (left === undefined || right === undefined) return left ?? right;
  return {
    set: [...left.set, ...right.set],
    add: [...left.add, ...right.add],
    remove: [...new Set([...left.remove, ...right.remove])],
  };
}

/** `add` puts another value beside an existing one, `set` replaces it. */
function headerFields(
  side: "request" | "response",
  operations: HeaderOperations | undefined,
): object {
  if (operations === undefined) return {};
  const option = ([key, value]: readonly [string, string], appendAction: string): object => ({
    header: { key, value },
    appendAction,
  });
  const toAdd = [
    ...operations.set.map((one) => option(one, "OVERWRITE_IF_EXISTS_OR_ADD")),
    ...operations.add.map((one) => option(one, "APPEND_IF_EXISTS_OR_ADD")),
  ];
  return nonEmpty({
    [`${side}HeadersToAdd`]: toAdd,
    [`${side}HeadersToRemove`]: operations.remove,
  });
}

/** Path, headers and query parameters. */
export function buildMatch(match: RouteMatch): object {
  const { path } = match;
  const ignoresCase = path.kind !== "regex" && path.ignoreCase === true;
  return {
    ...(path.kind === "exact"
      ? { path: path.value }
      : path.kind === "prefix"
        ? { prefix: path.value }
        : path.kind === "segments"
          ? { pathSeparatedPrefix: path.value }
          : { safeRegex: { regex: path.value } }),
    ...(ignoresCase ? { caseSensitive: false } : {}),
    ...nonEmpty({
      headers: match.headers.map(headerMatch),
      queryParameters: match.query.map(({ name, match: value }) => ({
        name,
        ...(value === undefined ? { presentMatch: true } : { stringMatch: stringMatcher(value) }),
      })),
    }),
  };
}

function headerMatch({ name, match, invert }: HeaderMatch): object {
  return {
    name,
    ...(match === undefined ? { presentMatch: true } : { stringMatch: stringMatcher(match) }),
    ...(invert ? { invertMatch: true } : {}),
    ...(invert && match !== undefined ? { treatMissingHeaderAsEmpty: true } : {}),
  };
}

function buildAction(
  action: ForwardAction | RedirectAction | RespondAction,
  side: RouteSide,
): object {
  switch (action.kind) {
    case "forward":
      return { route: forward(action, side) };
    case "redirect":
      return { redirect: redirect(action) };
    case "respond":
      return {
        directResponse: {
          status: action.status,
          ...(action.body === undefined
            ? {}
            : {
                body:
                  action.body.kind === "text"
                    ? { inlineString: action.body.value }
                    : { inlineBytes: action.body.value },
              }),
        },
      };
  }
}

function forward(action: ForwardAction, side: RouteSide): object {
  const single = action.clusters.length === 1 ? action.clusters[0] : undefined;
  const host = action.hostRewrite ?? single?.hostRewrite;
  const timeout = duration(action.timeoutMs);
  return {
    ...(single === undefined
      ? { weightedClusters: { clusters: action.clusters.map(weightedCluster) } }
      : { cluster: single.cluster }),
    ...(action.unknownStatus === undefined
      ? {}
      : { clusterNotFoundResponseCode: "INTERNAL_SERVER_ERROR" }),
    timeout,
    ...(action.retry === undefined ? {} : { retryPolicy: retryPolicy(action.retry) }),
    ...pathRewrite(action),
    ...(host === undefined ? {} : { hostRewriteLiteral: host }),
    ...nonEmpty({
      requestMirrorPolicies: action.mirrors.map((mirror) => ({
        cluster: mirror.cluster,
        runtimeFraction: { defaultValue: fractionalPercent(mirror.fraction) },
        traceSampled: false,
      })),
      hashPolicy: action.hash.map(hashPolicy),
    }),
    ...(side === "inbound"
      ? { maxStreamDuration: { maxStreamDuration: timeout, grpcTimeoutHeaderMax: timeout } }
      : { maxGrpcTimeout: timeout }),
  };
}

function pathRewrite({ pathRewrite: rewrite }: ForwardAction): object {
  if (rewrite === undefined) return {};
  if (rewrite.kind === "prefix") return { prefixRewrite: rewrite.value };
  const { pattern, substitution } = rewrite;
  return { regexRewrite: { pattern: { regex: pattern }, substitution } };
}

function weightedCluster(cluster: WeightedCluster): object {
  return {
    name: cluster.cluster,
    weight: cluster.weight,
    ...headerFields("request", cluster.requestHeaders),
    ...headerFields("response", cluster.responseHeaders),
    ...(cluster.hostRewrite === undefined ? {} : { hostRewriteLiteral: cluster.hostRewrite }),
  };
}

function retryPolicy(retry: RetryPolicy): object {
  return set({
    retryOn: retry.retryOn,
    numRetries: retry.attempts,
    perTryTimeout:
      retry.perTryTimeoutMs === undefined ? undefined : duration(retry.perTryTimeoutMs),
    retryBackOff:
      retry.backoffMs === undefined ? undefined : { baseInterval: duration(retry.backoffMs) },
    ...nonEmpty({ retriableStatusCodes: retry.retriableStatusCodes }),
    ...(retry.avoidPreviousHosts
      ? {
          retryHostPredicate: [
            extension(
              "envoy.retry_host_predicates.previous_hosts",
              "envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate",
            ),
          ],
          hostSelectionRetryMaxAttempts: "5",
        }
      : {}),
    ...(retry.otherLocalities
      ? {
          retryPriority: extension(
            "envoy.retry_priorities.previous_priorities",
            "envoy.extensions.retry.priority.previous_priorities.v3.PreviousPrioritiesConfig",
            { updateFrequency: 2 },
          ),
        }
      : {}),
  });
}

function hashPolicy(policy: HashPolicy): object {
  switch (policy.kind) {
    case "header":
      return { header: { headerName: policy.name } };
    case "cookie":
      return {
        cookie: set({
          name: policy.name,
          path: policy.path,
          ttl: policy.ttlMs === undefined ? undefined : duration(policy.ttlMs),
          attributes: policy.attributes,
        }),
      };
    case "source-address":
      return { connectionProperties: { sourceIp: true } };
    case "query":
      return { queryParameter: { name: policy.name } };
  }
}

function redirect(action: RedirectAction): object {
  return set({
    pathRedirect: action.path?.kind === "full" ? action.path.value : undefined,
    prefixRewrite: action.path?.kind === "prefix" ? action.path.value : undefined,
    hostRedirect: action.host,
    schemeRedirect: action.scheme,
    portRedirect: action.port,
    responseCode: REDIRECT_CODES[action.code],
  });
}

const REDIRECT_CODES = {
  301: "MOVED_PERMANENTLY",
  302: "FOUND",
  303: "SEE_OTHER",
  307: "TEMPORARY_REDIRECT",
  308: "PERMANENT_REDIRECT",
} as const;
