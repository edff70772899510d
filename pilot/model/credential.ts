/** Certificates and keys as the platform keeps them, and the names that proxies ask for them by. */

import { hash } from "node:crypto";
import { type ObjectKey, objectKey } from "./name.ts";

/**
 * Bytes that no log, dump or error may show: printed, it is a digest. Equal digests mean equal
 * bytes, so objects that hold it compare as others do.
 */
export class Sealed {
  readonly digest: string;
  readonly #base64: string;

  constructor(base64: string) {
    this.#base64 = base64;
    this.digest = hash("sha256", base64, "base64url").slice(0, 16);
  }

  /** Base64 of the bytes: for the message that is sent to a proxy, and nothing else. */
  reveal(): string {
    return this.#base64;
  }

  toJSON(): string {
    return `sealed ${this.digest}`;
  }
}

/** Keys of a Secret's data that Istio reads ("Secure Gateways: key formats"). */
export const CREDENTIAL_FIELDS = [
  "cert",
  "key",
  "cacert",
  "crl",
  "tls.crt",
  "tls.key",
  "tls.ocsp-staple",
  "ca.crt",
  "ca.crl",
] as const;

export type CredentialField = (typeof CREDENTIAL_FIELDS)[number];

/** A Secret, or a ConfigMap with certificates of authorities. */
export interface Credential {
  readonly kind: "Credential";
  /** `Secret/namespace/name`, `ConfigMap/namespace/name`. */
  readonly key: ObjectKey;
  readonly namespace: string;
  readonly name: string;
  /** The fields that are there and not empty. */
  readonly data: Readonly<Partial<Record<CredentialField, Sealed>>>;
}

/** What a resource name of secret discovery stands for. */
export interface CredentialReference {
  /** As Envoy subscribes to it. */
  readonly resource: string;
  /** Certificates of authorities only, which nobody needs to hide. */
  readonly trustOnly: boolean;
  readonly namespace: string;
  readonly name: string;
  /** Where it may be kept, the first that exists counts. */
  readonly keys: readonly ObjectKey[];
}

const TRUST_SUFFIX = "-cacert";
const KUBERNETES = "kubernetes://";
const GATEWAY = "kubernetes-gateway://";
const CONFIG_MAP = "configmap://";

/** The resource name of a `credentialName` as it is written in a Gateway or DestinationRule. */
export function credentialResource(name: string): string {
  const typed = [KUBERNETES, GATEWAY, CONFIG_MAP].some((prefix) => name.startsWith(prefix));
  return typed ? name : `${KUBERNETES}${name}`;
}

/** The resource with the authorities that belong to a credential (`NAME-cacert`). */
export function trustResource(name: string): string {
  const resource = credentialResource(name);
  return resource.startsWith(CONFIG_MAP) ? resource : `${resource}${TRUST_SUFFIX}`;
}

/**
 * `kubernetes://name` (in the proxy's own namespace), `kubernetes://ns/name`,
 * `kubernetes-gateway://ns/name`, `configmap://ns/name`; undefined for anything else.
 */
export function parseCredential(
  resource: string,
  proxyNamespace: string,
): CredentialReference | undefined {
  const prefix = [KUBERNETES, GATEWAY, CONFIG_MAP].find((one) => resource.startsWith(one));
  if (prefix === undefined) return undefined;
  const parts = resource.slice(prefix.length).split("/");
  if (parts.length > 2 || (parts.length === 1 && prefix !== KUBERNETES)) return undefined;
  const [namespace = "", name = ""] = parts.length === 1 ? [proxyNamespace, parts[0]] : parts;
  if (namespace === "" || name === "") return undefined;
  if (prefix === CONFIG_MAP) {
    const keys = [objectKey("ConfigMap", namespace, name.replace(/-cacert$/, ""))];
    return { resource, trustOnly: true, namespace, name, keys };
  }
  const trustOnly = name.endsWith(TRUST_SUFFIX);
  const own = objectKey("Secret", namespace, name);
  const keys = trustOnly
    ? [own, objectKey("Secret", namespace, name.slice(0, -TRUST_SUFFIX.length))]
    : [own];
  return { resource, trustOnly, namespace, name, keys };
}
