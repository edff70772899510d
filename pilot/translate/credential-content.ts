/** What a proxy can use of a Secret or ConfigMap, and why not. Words never hold what is sealed. */

import { type KeyObject, X509Certificate, createPrivateKey } from "node:crypto";
import type { SecretContent } from "#pilot/ir/secret.ts";
import { cached } from "#pilot/model/cached.ts";
import type { Credential, CredentialField, Sealed } from "#pilot/model/credential.ts";

export type ContentResult =
  | { readonly ok: true; readonly content: SecretContent }
  /** `detail` follows the object's name in a sentence. */
  | { readonly ok: false; readonly reason: string; readonly detail: string };

const BLOCK = /-----BEGIN ([A-Z0-9 ]+)-----[^-]*-----END \1-----/g;
/** The curves that Envoy takes. */
const CURVES: ReadonlySet<string> = new Set(["prime256v1", "secp384r1", "secp521r1"]);
const MIN_RSA_BITS = 2048;
const MAX_CERTIFICATES = 1024;

/** The certificate chain and its key, checked as Envoy would. */
export const certificateOf = cached((credential: Credential): ContentResult => {
  const { data } = credential;
  const pair =
    pairOf(data.cert, data.key) ??
    pairOf(data["tls.crt"], data["tls.key"], data["tls.ocsp-staple"]);
  if (pair === undefined) {
    return refuse("SecretIncomplete", `needs tls.crt and tls.key, but has ${fieldsOf(data)}`);
  }
  const chain = certificatesIn(pair.certificate);
  const leaf = chain?.[0];
  if (leaf === undefined) {
    return refuse("InvalidCertificate", "holds a certificate that is no PEM certificate");
  }
  const key = keyIn(pair.privateKey);
  if (key === undefined) {
    return refuse("InvalidKey", "holds a private key that is no PEM key without a passphrase");
  }
  const weak = weaknessOf(key);
  if (weak !== undefined) return refuse("InvalidKey", weak);
  if (!leaf.checkPrivateKey(key)) {
    return refuse("KeyMismatch", "holds a private key that isn't that of its certificate");
  }
  return { ok: true, content: { kind: "certificate", ...pair } };
}, 1);

/** The authorities, and what they have revoked. */
export const trustOf = cached((credential: Credential): ContentResult => {
  const { data } = credential;
  const generic = data.cacert !== undefined;
  const authorities = data.cacert ?? data["ca.crt"];
  if (authorities === undefined) {
    return refuse("SecretIncomplete", `needs ca.crt, but has ${fieldsOf(data)}`);
  }
  if (certificatesIn(authorities) === undefined) {
    return refuse("InvalidCertificate", "holds an authority that is no PEM certificate");
  }
  const revoked = generic ? data.crl : data["ca.crl"];
  if (revoked !== undefined && !textOf(revoked).includes("-----BEGIN X509 CRL-----")) {
    return refuse("InvalidRevocations", "holds a revocation list that is no PEM CRL");
  }
  return {
    ok: true,
    content: { kind: "trust", authorities, ...(revoked === undefined ? {} : { revoked }) },
  };
}, 1);

function refuse(reason: string, detail: string): ContentResult {
  return { ok: false, reason, detail };
}

function pairOf(
  certificate: Sealed | undefined,
  privateKey: Sealed | undefined,
  ocspStaple?: Sealed,
): { certificate: Sealed; privateKey: Sealed; ocspStaple?: Sealed } | undefined {
  if (certificate === undefined || privateKey === undefined) return undefined;
  return { certificate, privateKey, ...(ocspStaple === undefined ? {} : { ocspStaple }) };
}

function fieldsOf(data: Credential["data"]): string {
  const names = (Object.keys(data) as CredentialField[]).toSorted();
  return names.length === 0 ? "neither" : `only ${names.join(", ")}`;
}

function textOf(sealed: Sealed): string {
  return Buffer.from(sealed.reveal(), "base64").toString("latin1");
}

/** Undefined where there is none, or one of them can't be read: Envoy refuses all of them then. */
function certificatesIn(sealed: Sealed): X509Certificate[] | undefined {
  const blocks = [...textOf(sealed).matchAll(BLOCK)]
    .filter(([, label]) => label === "CERTIFICATE" || label === "TRUSTED CERTIFICATE")
    .map(([block]) => block);
  if (blocks.length === 0 || blocks.length > MAX_CERTIFICATES) return undefined;
  try {
    return blocks.map((block) => new X509Certificate(block));
  } catch {
    return undefined;
  }
}

function keyIn(sealed: Sealed): KeyObject | undefined {
  try {
    return createPrivateKey(textOf(sealed));
  } catch {
    return undefined;
  }
}

function weaknessOf(key: KeyObject): string | undefined {
  const { modulusLength = 0, namedCurve = "" } = key.asymmetricKeyDetails ?? {};
  if (key.asymmetricKeyType === "rsa") {
    return modulusLength < MIN_RSA_BITS
      ? `holds an RSA key of ${modulusLength} bits; proxies take ${MIN_RSA_BITS} or more`
      : undefined;
  }
  if (key.asymmetricKeyType === "ec" && CURVES.has(namedCurve)) return undefined;
  return "holds a key of a kind that proxies don't take: RSA, or EC P-256, P-384 or P-521";
}
