/** What an HTTP rule does with a request: forward, redirect, or answer. */

import type {
  Destination,
  HTTPMatchRequest,
  HTTPRedirect,
  HTTPRoute,
  HTTPRouteDestination,
} from "#crds/types/networking-v1.ts";
import { type ClusterName, outboundCluster } from "#pilot/ir/name.ts";
import type {
  ForwardAction,
  HashPolicy,
  Mirror,
  PathRewrite,
  RedirectAction,
  RespondAction,
  WeightedCluster,
} from "#pilot/ir/route.ts";
import type { MeshConfig } from "#pilot/model/mesh-config.ts";
import { type Hostname, NOWHERE, type ObjectKey, resolveHost } from "#pilot/model/name.ts";
import type { Service } from "#pilot/model/object.ts";
import { policyFor } from "./destination-rule.ts";
import type { MergedRule } from "./merged-rule.ts";
import { controlProblem, durationMs, fraction, regexProblem } from "./fields.ts";
import { headerChanges, hostHeader } from "./header-operations.ts";
import { type Reporter, error, originOf, warn } from "./result.ts";
import { retryPolicy } from "./retry.ts";
import { hashPolicies } from "./hash-policy.ts";

/** What is known about the hosts that a rule sends to. */
export type Destinations = ReadonlyMap<
  Hostname,
  { readonly service: Service | undefined; readonly rule: MergedRule | undefined }
>;

export interface ActionInput {
  readonly namespace: string;
  readonly object: ObjectKey;
  /** Of the listener: the destination's port where the rule names none. */
  readonly port: number;
  readonly destinations: Destinations;
  readonly mesh: MeshConfig;
  readonly report: Reporter;
  /** Of the rule: `spec.http[0]`. */
  readonly path: string;
  /** What a missing destination answers, other than 503. */
  readonly unknownStatus?: 500;
}

/** The action of a rule for one of its match blocks. */
export function buildAction(
  rule: HTTPRoute,
  match: HTTPMatchRequest | undefined,
  input: ActionInput,
): ForwardAction | RedirectAction | RespondAction {
  if (rule.redirect !== undefined) return redirect(rule.redirect, match, input);
  if (rule.directResponse !== undefined) {
    const { status, body } = rule.directResponse;
    const text = body?.string;
    const bytes = body?.bytes;
    return {
      kind: "respond",
      status,
      ...(text === undefined ? {} : { body: { kind: "text", value: text } }),
      ...(bytes === undefined ? {} : { body: { kind: "base64", value: bytes } }),
    };
  }
  return forward(rule, match, input);
}

function forward(
  rule: HTTPRoute,
  match: HTTPMatchRequest | undefined,
  input: ActionInput,
): ForwardAction | RespondAction {
  const { report, path, mesh } = input;
  const clusters = weightedClusters(rule.route ?? [], input);
  if (clusters.length === 0) {
    error(report, `${path}.route`, "NoDestination", "no destination has a weight: answered 503");
    return { kind: "respond", status: 503 };
  }
  const hash = hashOf(rule.route ?? [], input);
  const retry = retryPolicy(rule.retries, mesh, report, `${path}.retries`);
  const pathRewrite = rewriteOf(rule, match, input);
  const host =
    checked(rule.rewrite?.authority, `${path}.rewrite.authority`, report) ??
    hostHeader(rule.headers, report, `${path}.headers`);
  return {
    kind: "forward",
    clusters,
    timeoutMs: durationMs(rule.timeout, report, `${path}.timeout`) ?? 0,
    ...(retry === undefined
      ? {}
      : { retry: hash.length > 0 ? { ...retry, avoidPreviousHosts: false } : retry }),
    ...(pathRewrite === undefined ? {} : { pathRewrite }),
    ...(host === undefined ? {} : { hostRewrite: host }),
    mirrors: mirrorsOf(rule, input),
    hash,
    ...(input.unknownStatus === undefined ? {} : { unknownStatus: input.unknownStatus }),
  };
}

/**
 * A single destination takes all, whatever its weight; of several, those without weight get
 * nothing.
 */
function weightedClusters(
  routes: readonly HTTPRouteDestination[],
  input: ActionInput,
): WeightedCluster[] {
  return routes.flatMap((route, at) => {
    const weight = route.weight ?? 0;
    if (routes.length > 1 && weight === 0) return [];
    const path = `${input.path}.route[${at}]`;
    const host = hostHeader(route.headers, input.report, `${path}.headers`);
    return [
      {
        cluster: clusterOf(route.destination, `${path}.destination`, input),
        weight: routes.length === 1 ? 1 : weight,
        ...headerChanges(route.headers, input.report, `${path}.headers`),
        ...(host === undefined ? {} : { hostRewrite: host }),
        origins: [originOf(input.object, path)],
      },
    ];
  });
}

/** The cluster of a destination; an unknown one is named all the same, so that requests get 503. */
export function clusterOf(
  destination: Destination,
  path: string,
  input: Pick<
    ActionInput,
    "namespace" | "port" | "destinations" | "mesh" | "report" | "unknownStatus"
  >,
): ClusterName {
  const answer = `answered ${input.unknownStatus ?? 503}`;
  const host = resolveHost(destination.host, input.namespace, input.mesh.clusterDomain);
  const { service, rule } = input.destinations.get(host) ?? {};
  const target = service?.aliasOf ?? host;
  const only = service?.ports.length === 1 ? service.ports[0]?.number : undefined;
  const port = destination.port?.number ?? only ?? input.port;
  if (host === NOWHERE) return outboundCluster(host, port);
  if (service === undefined) {
    const message = `no service ${host} is visible here: ${answer}`;
    warn(input.report, `${path}.host`, "UnknownHost", message);
  } else if (service.aliasOf === undefined && !service.ports.some((one) => one.number === port)) {
    const message = `${host} has no port ${port}: ${answer}`;
    warn(input.report, `${path}.port`, "UnknownPort", message);
  }
  const subset = destination.subset ?? "";
  if (
    subset !== "" &&
    service !== undefined &&
    rule?.subsets.some((one) => one.subset.name === subset) !== true
  ) {
    const message = `no DestinationRule of ${host} has a subset ${subset}: ${answer}`;
    warn(input.report, `${path}.subset`, "UnknownSubset", message);
  }
  const known = input.destinations.has(target) || target === host ? target : host;
  return outboundCluster(known, port, subset);
}

function hashOf(routes: readonly HTTPRouteDestination[], input: ActionInput): HashPolicy[] {
  const policies = new Map<string, HashPolicy>();
  for (const { destination } of routes) {
    const host = resolveHost(destination.host, input.namespace, input.mesh.clusterDomain);
    const { service, rule } = input.destinations.get(host) ?? {};
    if (rule === undefined) continue;
    const subset = rule.subsets.find((one) => one.subset.name === destination.subset);
    const port = destination.port?.number ?? service?.ports[0]?.number ?? input.port;
    for (const policy of hashPolicies(policyFor(rule, port, input.mesh, subset), input.report)) {
      policies.set(JSON.stringify(policy), policy);
    }
  }
  return [...policies.values()];
}

function rewriteOf(
  rule: HTTPRoute,
  match: HTTPMatchRequest | undefined,
  { report, path }: ActionInput,
): PathRewrite | undefined {
  const spec = rule.rewrite;
  if (spec?.uriRegexRewrite !== undefined) {
    const { match: pattern, rewrite = "" } = spec.uriRegexRewrite;
    const at = `${path}.rewrite.uriRegexRewrite`;
    const invalid = regexProblem(pattern);
    if (invalid !== undefined) error(report, `${at}.match`, "InvalidRegex", invalid);
    const substitution = rewrite === "" ? "" : checked(rewrite, `${at}.rewrite`, report);
    if (invalid !== undefined || substitution === undefined) return undefined;
    return { kind: "regex", pattern, substitution };
  }
  const uri = checked(spec?.uri, `${path}.rewrite.uri`, report);
  if (uri === undefined) return undefined;
  const pattern = match?.uri?.regex;
  return pattern === undefined
    ? { kind: "prefix", value: uri }
    : { kind: "regex", pattern, substitution: uri };
}

/** A text that goes into a header; undefined if there is none, or (reported) none that can. */
function checked(text: string | undefined, path: string, report: Reporter): string | undefined {
  if (text === undefined || text === "") return undefined;
  const invalid = controlProblem(text);
  if (invalid === undefined) return text;
  error(report, path, "InvalidText", invalid);
  return undefined;
}

function mirrorsOf(rule: HTTPRoute, input: ActionInput): Mirror[] {
  const { path } = input;
  const mirrors: Mirror[] = (rule.mirrors ?? []).map((one, at) => ({
    cluster: clusterOf(one.destination, `${path}.mirrors[${at}].destination`, input),
    fraction: fraction(one.percentage, 100),
  }));
  if (rule.mirror !== undefined) {
    const old = rule.mirrorPercent ?? rule.mirror_percent;
    mirrors.push({
      cluster: clusterOf(rule.mirror, `${path}.mirror`, input),
      fraction: fraction(rule.mirrorPercentage, old ?? 100),
    });
  }
  return mirrors.filter((mirror) => mirror.fraction > 0);
}

const DEFAULT_PORTS: ReadonlyMap<string, number> = new Map([
  ["http", 80],
  ["https", 443],
]);

function redirect(
  spec: HTTPRedirect,
  match: HTTPMatchRequest | undefined,
  { report, path, port: requested }: ActionInput,
): RedirectAction | RespondAction {
  const texts = [spec.uri, spec.authority, spec.prefixRewrite];
  const invalid = texts.map((text) => controlProblem(text ?? "")).find((one) => one !== undefined);
  if (invalid !== undefined) {
    error(report, `${path}.redirect`, "InvalidText", `${invalid}: answered 503`);
    return { kind: "respond", status: 503 };
  }
  const usual = DEFAULT_PORTS.get(spec.scheme ?? "http");
  const port = spec.port ?? derivedPort(spec, usual, requested);
  if (spec.prefixRewrite !== undefined && match?.uri?.prefix === undefined) {
    const message = "prefixRewrite needs a match of uri.prefix to replace";
    warn(report, `${path}.redirect.prefixRewrite`, "NoPrefixMatch", message);
  }
  const target: RedirectAction["path"] =
    spec.uri !== undefined && spec.uri !== ""
      ? { kind: "full", value: spec.uri }
      : spec.prefixRewrite !== undefined && spec.prefixRewrite !== ""
        ? { kind: "prefix", value: spec.prefixRewrite }
        : undefined;
  return {
    kind: "redirect",
    ...(target === undefined ? {} : { path: target }),
    ...(spec.authority === undefined || spec.authority === "" ? {} : { host: spec.authority }),
    ...(spec.scheme === undefined ? {} : { scheme: spec.scheme }),
    ...(port === undefined ? {} : { port }),
    code: spec.redirectCode ?? 301,
  };
}

/** The listener's is the request's; the scheme's own need not be said. */
function derivedPort(
  { derivePort }: HTTPRedirect,
  usual: number | undefined,
  requested: number,
): number | undefined {
  if (derivePort === "FROM_PROTOCOL_DEFAULT") return usual;
  if (derivePort !== "FROM_REQUEST_PORT" || requested === 0) return undefined;
  return requested === usual ? undefined : requested;
}
