/** Names of the resource types that are discovered. */

export type TypeUrl = string & { readonly brand: "TypeUrl" };

function typeUrl(messageType: string): TypeUrl {
  return `type.googleapis.com/${messageType}` as TypeUrl;
}

export const CLUSTER = typeUrl("envoy.config.cluster.v3.Cluster");
export const ENDPOINTS = typeUrl("envoy.config.endpoint.v3.ClusterLoadAssignment");
export const LISTENER = typeUrl("envoy.config.listener.v3.Listener");
export const ROUTES = typeUrl("envoy.config.route.v3.RouteConfiguration");
export const VIRTUAL_HOST = typeUrl("envoy.config.route.v3.VirtualHost");
export const SECRET = typeUrl("envoy.extensions.transport_sockets.tls.v3.Secret");
export const EXTENSION_CONFIG = typeUrl("envoy.config.core.v3.TypedExtensionConfig");

/** How a type travels. A further type that clients subscribe to by name is a row of the table. */
export interface TypeRule {
  readonly type: TypeUrl;
  /** For metrics, logs and dumps. */
  readonly short: string;
  /** A first request without names asks for everything. */
  readonly wildcard: boolean;
  /** A state-of-the-world response always carries everything; what isn't in it is gone. */
  readonly fullState: boolean;
  /** It may name clusters, so it waits until those on their way are ready at the client. */
  readonly afterClusters: boolean;
}

function byName(type: TypeUrl, short: string, more: Partial<TypeRule> = {}): TypeRule {
  return { type, short, wildcard: false, fullState: false, afterClusters: false, ...more };
}

const WHOLE = { wildcard: true, fullState: true };

/**
 * The types that are served, in the order in which they are sent: make before break, what is
 * referred to goes before what refers to it.
 */
export const TYPE_RULES: readonly TypeRule[] = [
  byName(CLUSTER, "cds", WHOLE),
  byName(ENDPOINTS, "eds"),
  byName(SECRET, "sds"),
  byName(EXTENSION_CONFIG, "ecds"),
  byName(LISTENER, "lds", { ...WHOLE, afterClusters: true }),
  byName(ROUTES, "rds", { afterClusters: true }),
  byName(VIRTUAL_HOST, "vhds", { wildcard: true, afterClusters: true }),
];

export const PUSH_ORDER: readonly TypeUrl[] = TYPE_RULES.map(({ type }) => type);

const BY_TYPE: ReadonlyMap<string, TypeRule> = new Map(TYPE_RULES.map((rule) => [rule.type, rule]));

/** Of a served type only: `parseTypeUrl` gives no other. */
export function ruleOf(type: TypeUrl): TypeRule {
  const rule = BY_TYPE.get(type);
  if (rule === undefined) throw new Error(`${type} is not served`);
  return rule;
}

/** `cds`, `eds`, … for metrics and logs; undefined for a type that isn't served. */
export function shortName(type: TypeUrl): string | undefined {
  return BY_TYPE.get(type)?.short;
}

/** The served type of this URL; undefined where there is none. */
export function parseTypeUrl(text: string): TypeUrl | undefined {
  return BY_TYPE.get(text)?.type;
}

/** The full message name behind a type URL. */
export function messageTypeOf(type: TypeUrl): string {
  return type.slice(type.indexOf("/") + 1);
}
