/**
 * What stands in front of a gateway, and what it believes of it: Istio's `gatewayTopology` and HTTP/1.0
 * (Istio, "Configuring Gateway Network Topology").
 */

export type ClientCertificateHeader =
  "SANITIZE" | "FORWARD_ONLY" | "APPEND_FORWARD" | "SANITIZE_SET" | "ALWAYS_FORWARD_ONLY";

export interface EdgeSettings {
  /** Proxies before this one whose X-Forwarded-For is believed. */
  readonly trustedProxies?: number;
  /** What becomes of the header x-forwarded-client-cert. */
  readonly clientCertificate?: ClientCertificateHeader;
  /** Connections begin with a PROXY header. */
  readonly proxyProtocol?: true;
  /** Requests of HTTP/1.0 are answered. */
  readonly http10?: true;
}

const HEADERS: readonly ClientCertificateHeader[] = [
  "SANITIZE",
  "FORWARD_ONLY",
  "APPEND_FORWARD",
  "SANITIZE_SET",
  "ALWAYS_FORWARD_ONLY",
];
const MAX_PROXIES = 1000;

/** A proxy's own settings, in its metadata PROXY_CONFIG and HTTP10; untrusted. */
export function edgeOfMetadata(metadata: ReadonlyMap<string, unknown>): EdgeSettings {
  const config = fieldsOf(metadata.get("PROXY_CONFIG"));
  const http10 = metadata.get("HTTP10") === "1";
  return {
    ...parseTopology(config.get("gatewayTopology")),
    ...(http10 ? { http10: true as const } : {}),
  };
}

/** `gatewayTopology`, without what can't be used of it. */
export function parseTopology(value: unknown): EdgeSettings {
  const fields = fieldsOf(value);
  const count = fields.get("numTrustedProxies");
  const header = HEADERS.find((one) => one === fields.get("forwardClientCertDetails"));
  const isCount =
    typeof count === "number" && Number.isInteger(count) && count > 0 && count <= MAX_PROXIES;
  const takesHeader = typeof fields.get("proxyProtocol") === "object";
  return {
    ...(isCount ? { trustedProxies: count } : {}),
    ...(header === undefined ? {} : { clientCertificate: header }),
    ...(takesHeader ? { proxyProtocol: true as const } : {}),
  };
}

/** Undefined where nothing is set: most gateways are of one class. */
export function joinEdges(mesh: EdgeSettings, own: EdgeSettings): EdgeSettings | undefined {
  const joined = { ...mesh, ...own };
  return Object.keys(joined).length === 0 ? undefined : joined;
}

function fieldsOf(value: unknown): ReadonlyMap<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return new Map();
  return new Map(Object.entries(value));
}
