/** Custom resources of `networking.istio.io` as configuration objects. */

import type { KubeObject } from "#cluster/api/meta.ts";
import { objectKey } from "#pilot/model/name.ts";
import type { AnyConfigObject, ConfigKind } from "#pilot/model/object.ts";

const KINDS: ReadonlySet<string> = new Set<ConfigKind>([
  "VirtualService",
  "DestinationRule",
  "Gateway",
  "ServiceEntry",
  "Sidecar",
]);

const GROUP = "networking.istio.io";

/** Whether an object is one of the kinds read here; every served version has the same fields. */
export function isConfigObject(object: KubeObject): boolean {
  return (object.apiVersion ?? "").startsWith(`${GROUP}/`) && KINDS.has(object.kind ?? "");
}

/** The spec has been checked by the API server's schema; a missing one is an empty one. */
export function convertConfigObject(object: KubeObject): AnyConfigObject {
  const { name, namespace = "default" } = object.metadata;
  const spec = typeof object.spec === "object" && object.spec !== null ? object.spec : {};
  return {
    kind: object.kind,
    key: objectKey(object.kind ?? "", namespace, name),
    group: GROUP,
    namespace,
    name,
    generation: object.metadata.generation ?? 0,
    creationTimestamp: object.metadata.creationTimestamp ?? "",
    labels: object.metadata.labels ?? {},
    annotations: object.metadata.annotations ?? {},
    spec,
  } as AnyConfigObject;
}
