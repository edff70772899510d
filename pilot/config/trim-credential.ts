/** Less of Secrets and ConfigMaps than the server sends: a cluster has many, the mesh reads few. */

import type { ConfigMap, Secret } from "#cluster/api/generated/core-v1.ts";
import type { KubeObject } from "#cluster/api/meta.ts";
import { CREDENTIAL_FIELDS } from "#pilot/model/credential.ts";

const FIELDS: ReadonlySet<string> = new Set(CREDENTIAL_FIELDS);
/** Settings of the mesh live here, in ConfigMaps that are kept whole. */
const ROOT_NAMESPACE = "istio-system";

/** Values under other keys than those of certificates are dropped at once. */
export function trimSecret(object: KubeObject): KubeObject {
  const { type, data } = object as unknown as Secret;
  const metadata = trimMeta(object);
  return { apiVersion: "v1", kind: "Secret", metadata, type, data: pick(data) };
}

export function trimConfigMap(object: KubeObject): KubeObject {
  const { data } = object as unknown as ConfigMap;
  const kept = object.metadata.namespace === ROOT_NAMESPACE ? data : pick(data);
  const metadata = trimMeta(object);
  return { apiVersion: "v1", kind: "ConfigMap", metadata, data: kept };
}

function pick(data: Readonly<Record<string, string>> | undefined): Record<string, string> {
  return Object.fromEntries(Object.entries(data ?? {}).filter(([name]) => FIELDS.has(name)));
}

/** Without annotations too: `kubectl apply` keeps a copy of the whole object in one. */
function trimMeta({ metadata }: KubeObject): KubeObject["metadata"] {
  const { managedFields: _, annotations: __, ...rest } = metadata;
  return rest;
}
