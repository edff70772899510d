/** Secrets and ConfigMaps as credentials of the mesh. */

import type { ConfigMap, Secret } from "#cluster/api/generated/core-v1.ts";
import {
  CREDENTIAL_FIELDS,
  type Credential,
  type CredentialField,
  Sealed,
} from "#pilot/model/credential.ts";
import { objectKey } from "#pilot/model/name.ts";

/** Secrets of these types are never anyone's certificate. */
const OTHER_TYPES: ReadonlySet<string> = new Set([
  "helm.sh/release.v1",
  "kubernetes.io/service-account-token",
]);

const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

/** Every Secret counts, also one without a certificate: so a problem can say what it lacks. */
export function convertSecret(secret: Secret): Credential | undefined {
  if (OTHER_TYPES.has(secret.type ?? "")) return undefined;
  const { name, namespace = "default" } = secret.metadata;
  // An API server has put stringData into data; a file may still have it.
  const texts = Object.entries(secret.stringData ?? {}).map(([key, text]): [string, string] => [
    key,
    Buffer.from(text).toString("base64"),
  ]);
  const data = pick([...Object.entries(secret.data ?? {}), ...texts]);
  return { kind: "Credential", key: objectKey("Secret", namespace, name), namespace, name, data };
}

/** Only certificates of authorities may come from a ConfigMap; undefined for all others. */
export function convertTrustMap(map: ConfigMap): Credential | undefined {
  const { name, namespace = "default" } = map.metadata;
  const texts = Object.entries(map.data ?? {}).map(([key, text]): [string, string] => [
    key,
    Buffer.from(text).toString("base64"),
  ]);
  const data = pick(texts.filter(([key]) => TRUST_FIELDS.has(key)));
  if (data.cacert === undefined && data["ca.crt"] === undefined) return undefined;
  return {
    kind: "Credential",
    key: objectKey("ConfigMap", namespace, name),
    namespace,
    name,
    data,
  };
}

const TRUST_FIELDS: ReadonlySet<string> = new Set(["cacert", "crl", "ca.crt", "ca.crl"]);

function pick(entries: readonly (readonly [string, string])[]): Credential["data"] {
  const values = new Map(entries);
  return Object.fromEntries(
    CREDENTIAL_FIELDS.flatMap((field): [CredentialField, Sealed][] => {
      const base64 = values.get(field)?.replaceAll(/\s/g, "") ?? "";
      return base64 === "" || !BASE64.test(base64) ? [] : [[field, new Sealed(base64)]];
    }),
  );
}
