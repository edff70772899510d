import type { Change } from "#pilot/model/change.ts";
import { objectKey } from "#pilot/model/name.ts";

/** The least change of the world that there is. */
export function namespaceChange(name: string): Change {
  const key = objectKey("Namespace", "", name);
  return { type: "upsert", object: { kind: "Namespace", key, name, labels: {} } };
}
