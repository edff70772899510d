/** EnvoyFilter → its patches, each checked by itself: what is wrong with one harms no other. */

import type { IrProblem } from "#pilot/ir/scope-ir.ts";
import { decode } from "#pilot/proto/decode.ts";
import { encode } from "#pilot/proto/encode.ts";
import type { JsonObject } from "#pilot/proto/json.ts";
import { HTTP_CONNECTION_MANAGER, currentName } from "./filter-names.ts";
import type {
  ApplyTo,
  ClusterMatch,
  ListenerMatch,
  Operation,
  Patch,
  PatchContext,
  RouteConfigurationMatch,
} from "./patch.ts";

/** The part of an EnvoyFilter that patches are read from; shapes have been checked. */
export interface FilterSource {
  readonly key: string;
  readonly spec: { readonly configPatches?: readonly PatchSource[] };
}

export interface PatchSource {
  readonly applyTo?: string;
  readonly match?: {
    readonly context?: string;
    readonly listener?: ListenerMatch & { readonly portName?: string };
    readonly routeConfiguration?: RouteConfigurationMatch;
    readonly cluster?: ClusterMatch;
    readonly waypoint?: object;
  };
  readonly patch?: { readonly operation?: string; readonly value?: unknown };
}

export interface DecodedFilter {
  /** By their place in the filter; undefined where one can't be used. */
  readonly patches: readonly (Patch | undefined)[];
  readonly problems: readonly IrProblem[];
}

const HCM = "envoy.extensions.filters.network.http_connection_manager.v3";

/** What the value of a patch is. */
const TYPES: { readonly [A in ApplyTo]: string } = {
  LISTENER: "envoy.config.listener.v3.Listener",
  LISTENER_FILTER: "envoy.config.listener.v3.ListenerFilter",
  FILTER_CHAIN: "envoy.config.listener.v3.FilterChain",
  NETWORK_FILTER: "envoy.config.listener.v3.Filter",
  HTTP_FILTER: `${HCM}.HttpFilter`,
  ROUTE_CONFIGURATION: "envoy.config.route.v3.RouteConfiguration",
  VIRTUAL_HOST: "envoy.config.route.v3.VirtualHost",
  HTTP_ROUTE: "envoy.config.route.v3.Route",
  CLUSTER: "envoy.config.cluster.v3.Cluster",
  EXTENSION_CONFIG: "envoy.config.core.v3.TypedExtensionConfig",
};

const MERGES = ["MERGE", "MERGE_AND_REPLACE_LIST"] as const;
const INSERTS = ["INSERT_BEFORE", "INSERT_AFTER", "INSERT_FIRST"] as const;

/** What can be done to what. */
const OPERATIONS: { readonly [A in ApplyTo]: readonly Operation[] } = {
  LISTENER: [...MERGES, "ADD", "REMOVE"],
  LISTENER_FILTER: [...MERGES, ...INSERTS, "ADD", "REMOVE", "REPLACE"],
  FILTER_CHAIN: [...MERGES, "ADD", "REMOVE"],
  NETWORK_FILTER: [...MERGES, ...INSERTS, "ADD", "REMOVE", "REPLACE"],
  HTTP_FILTER: [...MERGES, ...INSERTS, "ADD", "REMOVE", "REPLACE"],
  ROUTE_CONFIGURATION: MERGES,
  VIRTUAL_HOST: [...MERGES, "ADD", "REMOVE", "REPLACE"],
  HTTP_ROUTE: [...MERGES, ...INSERTS, "ADD", "REMOVE"],
  CLUSTER: [...MERGES, "ADD", "REMOVE"],
  EXTENSION_CONFIG: ["ADD"],
};

const CONTEXTS: readonly string[] = ["ANY", "SIDECAR_INBOUND", "SIDECAR_OUTBOUND", "GATEWAY"];
const MATCHES = { LISTENER: "listener", ROUTE: "routeConfiguration", CLUSTER: "cluster" } as const;

const memory = new WeakMap<FilterSource, DecodedFilter>();

/** Reads a filter once for as long as it is the same object. */
export function decodeFilter(filter: FilterSource): DecodedFilter {
  let decoded = memory.get(filter);
  if (decoded === undefined) {
    const problems: IrProblem[] = [];
    const patches = (filter.spec.configPatches ?? []).map((source, index) =>
      decodePatch(source, { object: filter.key, path: `spec.configPatches[${index}]` }, problems),
    );
    decoded = { patches, problems };
    memory.set(filter, decoded);
  }
  return decoded;
}

function decodePatch(
  source: PatchSource,
  origin: Patch["origin"],
  problems: IrProblem[],
): Patch | undefined {
  const refuse = (path: string, reason: string, message: string): undefined => {
    const at = `${origin.path}${path}`;
    problems.push({ object: origin.object, path: at, severity: "error", reason, message });
    return undefined;
  };
  const applyTo = source.applyTo ?? "";
  if (applyTo === "BOOTSTRAP") {
    const message = "a proxy's bootstrap is made by the injector and cannot be patched";
    return refuse(".applyTo", "NotApplicable", message);
  }
  if (!isApplyTo(applyTo)) {
    const message = `must be one of ${Object.keys(TYPES).join(", ")}`;
    return refuse(".applyTo", "Malformed", message);
  }
  const context = source.match?.context ?? "ANY";
  if (!CONTEXTS.includes(context)) {
    return refuse(".match.context", "NotApplicable", "this mesh has no waypoint proxies");
  }
  const operation = operationOf(applyTo, source.patch?.operation ?? "");
  if (operation === undefined) {
    const given = source.patch?.operation ?? "nothing";
    const message = `${given} cannot be done to ${applyTo}: one of ${OPERATIONS[applyTo].join(", ")}`;
    return refuse(".patch.operation", "NotApplicable", message);
  }
  const mismatch = mismatchOf(applyTo, source.match ?? {});
  if (mismatch !== undefined) return refuse(mismatch.path, "Malformed", mismatch.message);
  const value = operation === "REMOVE" ? NO_VALUE : valueOf(applyTo, source.patch?.value);
  if (!value.ok) return refuse(`.patch.value${value.path}`, "InvalidPatch", value.message);
  return {
    origin,
    applyTo,
    operation,
    context: context as PatchContext | "ANY",
    ...(source.match?.listener === undefined ? {} : { listener: source.match.listener }),
    ...(source.match?.routeConfiguration === undefined
      ? {}
      : { route: source.match.routeConfiguration }),
    ...(source.match?.cluster === undefined ? {} : { cluster: source.match.cluster }),
    value: value.value,
  };
}

function isApplyTo(text: string): text is ApplyTo {
  return Object.hasOwn(TYPES, text);
}

/** Insertion where there is no order is addition (as in Istio). */
function operationOf(applyTo: ApplyTo, given: string): Operation | undefined {
  const allowed = OPERATIONS[applyTo];
  const found = allowed.find((operation) => operation === given);
  if (found !== undefined || !INSERTS.some((operation) => operation === given)) return found;
  return allowed.find((operation) => operation === "ADD");
}

/** The kind of match must be that of the thing: anything else matches nothing that is meant. */
function mismatchOf(
  applyTo: ApplyTo,
  match: NonNullable<PatchSource["match"]>,
): { path: string; message: string } | undefined {
  const wanted = matchKindOf(applyTo);
  for (const kind of Object.values(MATCHES)) {
    if (match[kind] !== undefined && kind !== wanted) {
      return { path: `.match.${kind}`, message: `cannot be matched by a patch of ${applyTo}` };
    }
  }
  if (match.waypoint !== undefined) {
    return { path: ".match.waypoint", message: "this mesh has no waypoint proxies" };
  }
  if (match.listener?.portName !== undefined) {
    return { path: ".match.listener.portName", message: "listeners have no names of ports" };
  }
  const filter = match.listener?.filterChain?.filter;
  if (filter === undefined) return undefined;
  const path = ".match.listener.filterChain.filter";
  if ((filter.name ?? "") === "") return { path: `${path}.name`, message: "is missing" };
  if (filter.subFilter === undefined) return undefined;
  if (applyTo !== "HTTP_FILTER") {
    return { path: `${path}.subFilter`, message: "can be matched by HTTP_FILTER only" };
  }
  if (currentName(filter.name ?? "") !== HTTP_CONNECTION_MANAGER) {
    return { path: `${path}.name`, message: `must be ${HTTP_CONNECTION_MANAGER}` };
  }
  return (filter.subFilter.name ?? "") === ""
    ? { path: `${path}.subFilter.name`, message: "is missing" }
    : undefined;
}

function matchKindOf(applyTo: ApplyTo): string | undefined {
  switch (applyTo) {
    case "CLUSTER":
      return MATCHES.CLUSTER;
    case "ROUTE_CONFIGURATION":
    case "VIRTUAL_HOST":
    case "HTTP_ROUTE":
      return MATCHES.ROUTE;
    case "EXTENSION_CONFIG":
      return undefined;
    case "LISTENER":
    case "LISTENER_FILTER":
    case "FILTER_CHAIN":
    case "NETWORK_FILTER":
    case "HTTP_FILTER":
      return MATCHES.LISTENER;
  }
}

type Value =
  | { readonly ok: true; readonly value: JsonObject }
  | { readonly ok: false; readonly message: string; readonly path: string };

const NO_VALUE: Value = { ok: true, value: {} };

/**
 * Through the bytes and back: whatever Envoy's API doesn't have is found with its path, and what
 * comes back has one name for each field and nothing that isn't set.
 */
function valueOf(applyTo: ApplyTo, value: unknown): Value {
  if (value === undefined || value === null) {
    return { ok: false, message: "is missing", path: "" };
  }
  const encoded = encode(TYPES[applyTo], value);
  if (encoded.ok) return { ok: true, value: decode(TYPES[applyTo], encoded.bytes) };
  const [{ path, message, reason }] = encoded.problems;
  const old = reason === "UnknownType" && /\.v2|v2alpha/.test(message);
  const hint = old ? " (Envoy's v2 API is gone: name the type of v3)" : "";
  return { ok: false, message: `${message}${hint}`, path: path === "" ? "" : `.${path}` };
}
