/** Branded strings of the model, and the only places that make them. */

/** `Kind/namespace/name`: one object of the world; cluster-scoped kinds have an empty namespace. */
export type ObjectKey = string & { readonly brand: "ObjectKey" };

/**
 * A DNS name as the mesh addresses it, lower case: `reviews.default.svc.cluster.local`,
 * `*.example.org`.
 */
export type Hostname = string & { readonly brand: "Hostname" };

export function objectKey(kind: string, namespace: string, name: string): ObjectKey {
  return `${kind}/${namespace}/${name}` as ObjectKey;
}

/** Host names are compared without case (RFC 4343) and without the root's dot. */
export function hostname(text: string): Hostname {
  const lower = text.toLowerCase();
  return (lower.endsWith(".") && lower.length > 1 ? lower.slice(0, -1) : lower) as Hostname;
}

/** A host name that was made out of others, or is the key of an index by host. */
export function indexedHost(key: string): Hostname {
  return key as Hostname;
}

/**
 * A host of a configuration object as a full name: a name without a dot is a service of the
 * object's own namespace (Istio, "VirtualService: short names").
 */
export function resolveHost(text: string, namespace: string, clusterDomain: string): Hostname {
  if (text.includes(".") || text.startsWith("*") || text.includes(":")) return hostname(text);
  return hostname(`${text}.${namespace}.svc.${clusterDomain}`);
}

/** Where a destination leads that can never be one, for a reason that is told (RFC 6761). */
export const NOWHERE = "nowhere.invalid" as Hostname;

/** Host name of a Kubernetes Service. */
export function serviceHost(name: string, namespace: string, clusterDomain: string): Hostname {
  return hostname(`${name}.${namespace}.svc.${clusterDomain}`);
}
