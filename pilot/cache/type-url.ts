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

/** Make before break: what is referred to goes before what refers to it. */
export const PUSH_ORDER: readonly TypeUrl[] = [CLUSTER, ENDPOINTS, LISTENER, ROUTES, VIRTUAL_HOST];

/** `cds`, `eds`, … for metrics and logs; undefined for a type that isn't served. */
export function shortName(type: TypeUrl): string | undefined {
  return SHORT_NAMES.get(type);
}

/** The served type of this URL; undefined where there is none. */
export function parseTypeUrl(text: string): TypeUrl | undefined {
  return PUSH_ORDER.find((type) => type === text);
}

/** The full message name behind a type URL. */
export function messageTypeOf(type: TypeUrl): string {
  return type.slice(type.indexOf("/") + 1);
}

const SHORT_NAMES: ReadonlyMap<TypeUrl, string> = new Map([
  [CLUSTER, "cds"],
  [ENDPOINTS, "eds"],
  [LISTENER, "lds"],
  [ROUTES, "rds"],
  [VIRTUAL_HOST, "vhds"],
]);
