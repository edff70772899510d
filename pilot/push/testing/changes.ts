import type { Change } from "#pilot/model/change.ts";
import { objectKey } from "#pilot/model/name.ts";
import type { AnyConfigObject, ConfigKind, ConfigSpecs } from "#pilot/model/object.ts";

/** The least change of the world that there is. */
export function namespaceChange(name: string): Change {
  const key = objectKey("Namespace", "", name);
  return { type: "upsert", object: { kind: "Namespace", key, name, labels: {} } };
}

/** An object of networking.istio.io in namespace `default`. */
export function configChange<K extends ConfigKind>(
  kind: K,
  name: string,
  spec: ConfigSpecs[K],
): Extract<Change, { type: "upsert" }> {
  const object = {
    kind,
    key: objectKey(kind, "default", name),
    group: "networking.istio.io",
    namespace: "default",
    name,
    generation: 1,
    creationTimestamp: "",
    labels: {},
    annotations: {},
    spec,
  };
  return { type: "upsert", object: object as AnyConfigObject };
}
