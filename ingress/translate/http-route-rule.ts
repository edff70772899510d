/** One rule of an HTTPRoute → rules of a VirtualService, one a match, with their precedence. */

import type {
  BackendObjectReference,
  HTTPBackendRef,
  HTTPRoute,
  HTTPRouteDestination,
  HTTPRouteMatch,
  HTTPRouteRule,
} from "#crds/types/networking-v1.ts";
import { NOWHERE, type ObjectKey, serviceHost } from "#pilot/model/name.ts";
import type { WrittenRule } from "#pilot/model/object.ts";
import type { Problem } from "#pilot/model/problem.ts";
import { type BackendResult, type Filtered, applyFilters } from "./http-route-filter.ts";
import { type MatchedRule, forMatch, patternProblem } from "./http-route-match.ts";
import type { RouteLookup, Verdict } from "./http-route-parent.ts";

export interface RankedRule extends MatchedRule {
  readonly written: WrittenRule;
}

export interface RuleInput {
  readonly object: ObjectKey;
  readonly namespace: string;
  /** Of the route. */
  readonly name: string;
  /** Index of the rule. */
  readonly at: number;
  readonly lookup: RouteLookup;
}

export interface TranslatedRule {
  readonly rules: readonly RankedRule[];
  readonly problems: readonly Problem[];
  /** Why something that it names can't be had. */
  readonly unresolved?: Verdict;
}

const EVERYTHING: HTTPRouteMatch = {};

/** What a rule can't do as it is meant isn't done at all: its requests are answered 500. */
export function translateRule(spec: HTTPRouteRule, input: RuleInput): TranslatedRule {
  const { object, at } = input;
  const path = `spec.rules[${at}]`;
  const problems: Problem[] = [];
  const resolve = (ref: BackendObjectReference): BackendResult => resolveBackend(ref, input);
  const filtered = applyFilters(spec.filters ?? [], resolve, `${path}.filters`);
  const to = destinations(spec.backendRefs ?? [], resolve, path);
  const refused = [...filtered.refused, ...to.refused];
  const refuse = (where: string, { reason, message }: Verdict): void => {
    problems.push({ object, path: where, severity: "error", reason, message });
  };
  for (const one of refused) refuse(one.path, one);
  if ("sessionPersistence" in spec) {
    const message = "sessions don't stick to endpoints by this: use a DestinationRule";
    refuse(`${path}.sessionPersistence`, { reason: "UnsupportedField", message });
  }
  const matches = (spec.matches ?? []).length === 0 ? [EVERYTHING] : (spec.matches ?? []);
  const name = spec.name ?? `${input.namespace}.${input.name}.${at}`;
  const action = refused.some(({ fatal }) => fatal)
    ? { directResponse: { status: 500 } }
    : actionOf(filtered, to.route);
  const rule: HTTPRoute = {
    name,
    ...action,
    ...(filtered.headers === undefined ? {} : { headers: filtered.headers }),
    ...(filtered.cors === undefined ? {} : { corsPolicy: filtered.cors }),
    ...timing(spec),
  };
  const parts = { ...filtered.parts, ...to.parts, timeout: `${path}.timeouts` };
  const rules = matches.flatMap((match, index) => {
    const where = `${path}.matches[${index}]`;
    const invalid = patternProblem(match);
    if (invalid !== undefined) {
      refuse(`${where}.${invalid.path}`, { reason: "InvalidRegex", message: invalid.message });
      return [];
    }
    const written = { object, path, parts: { ...parts, "match[0]": where } };
    return forMatch(rule, match, filtered.removesPrefix).map((one) => ({ ...one, written }));
  });
  const [first] = [...refused, ...to.missing, ...filtered.missing];
  if (first === undefined) return { rules, problems };
  return { rules, problems, unresolved: { reason: first.reason, message: first.message } };
}

function actionOf(
  { redirect, rewrite, mirrors }: Filtered,
  route: readonly HTTPRouteDestination[],
): Partial<HTTPRoute> {
  if (redirect !== undefined) return { redirect };
  if (route.length === 0) return { directResponse: { status: 500 } };
  return {
    route: [...route],
    ...(rewrite === undefined ? {} : { rewrite }),
    ...(mirrors.length === 0 ? {} : { mirrors: [...mirrors] }),
  };
}

interface Refusal extends Verdict {
  readonly path: string;
  /** The whole rule can't be done. */
  readonly fatal: boolean;
}

interface Destinations {
  readonly route: readonly HTTPRouteDestination[];
  readonly parts: Readonly<Record<string, string>>;
  readonly refused: readonly Refusal[];
  readonly missing: readonly Verdict[];
}

/** Backends without weight get nothing; those that can't be reached keep their share, as errors. */
function destinations(
  refs: readonly HTTPBackendRef[],
  resolve: (ref: BackendObjectReference) => BackendResult,
  rulePath: string,
): Destinations {
  const route: HTTPRouteDestination[] = [];
  const parts: Record<string, string> = {};
  const refused: Refusal[] = [];
  const missing: Verdict[] = [];
  for (const [at, ref] of refs.entries()) {
    const { weight = 1, filters = [] } = ref;
    if (weight === 0) continue;
    const path = `${rulePath}.backendRefs[${at}]`;
    const backend = resolve(ref);
    if (!backend.ok) refused.push({ path, ...backend, fatal: false });
    else if (backend.missing !== undefined) missing.push(backend.missing);
    const own = applyFilters(filters, resolve, `${path}.filters`, "backend");
    refused.push(...own.refused);
    parts[`route[${route.length}]`] = path;
    const destination = backend.ok ? backend.destination : { host: NOWHERE };
    const headers = own.headers === undefined ? {} : { headers: own.headers };
    route.push({ destination, weight, ...headers });
  }
  return { route, parts, refused, missing };
}

function resolveBackend(
  { group = "", kind = "Service", name, namespace, port }: BackendObjectReference,
  { namespace: own, lookup }: RuleInput,
): BackendResult {
  const no = (reason: string, message: string): BackendResult => ({ ok: false, reason, message });
  const at = (host: string, missing: boolean): BackendResult => {
    if (port === undefined) return no("InvalidDestination", "it needs a port");
    const destination = { host, port: { number: port } };
    if (!missing) return { ok: true, destination };
    const message = `there is no ${host}: its share of requests is answered 500`;
    return { ok: true, destination, missing: { reason: "BackendNotFound", message } };
  };
  switch (`${group}/${kind}`) {
    case "/Service":
    case "core/Service": {
      const where = namespace ?? own;
      const host = serviceHost(name, where, lookup.clusterDomain);
      if (name.includes("."))
        return no("InvalidDestination", `${name} is a host: name the Service, or a Hostname`);
      return at(host, lookup.servicePorts(where, name) === undefined);
    }
    case "networking.istio.io/Hostname":
      if (namespace !== undefined)
        return no("InvalidDestination", "a Hostname has no namespace: leave it out");
      return at(name.toLowerCase(), !lookup.isHost(name.toLowerCase()));
    default:
      return no("InvalidKind", `${group}/${kind} is no backend: name a Service or a Hostname`);
  }
}

/** The usual number of attempts where a route asks for retries and says no number. */
const ATTEMPTS = 2;
const RETRIED = ["connect-failure", "refused-stream", "unavailable", "cancelled"];

function timing({ timeouts, retry }: HTTPRouteRule): Pick<HTTPRoute, "timeout" | "retries"> {
  const request = nonZero(timeouts?.request);
  const once = nonZero(timeouts?.backendRequest);
  if (retry === undefined) {
    const timeout = once ?? request;
    return timeout === undefined ? {} : { timeout };
  }
  const { attempts = ATTEMPTS, codes = [], backoff } = retry;
  return {
    ...(request === undefined ? {} : { timeout: request }),
    retries: {
      attempts,
      retryOn: [...RETRIED, ...codes].join(","),
      ...(once === undefined ? {} : { perTryTimeout: once }),
      ...(backoff === undefined ? {} : { backoff }),
    },
  };
}

/** `0s` is no timeout at all. */
function nonZero(duration: string | undefined): string | undefined {
  return duration === undefined || /^(0+(h|ms|m|s))+$/.test(duration) ? undefined : duration;
}
