/** Which fields of a pod its containers may read. */

import type { ObjectFieldSelector } from "#cluster/api/generated/core-v1.ts";
import { check } from "#cluster/apiserver/kinds/meta.ts";
import { qualifiedName } from "#cluster/apiserver/kinds/names.ts";
import * as problem from "#cluster/apiserver/schema/problem.ts";
import type { FieldProblem } from "#cluster/apiserver/schema/schema.ts";

const METADATA = ["metadata.name", "metadata.namespace", "metadata.uid"];
const FIELDS = {
  env: [
    ...METADATA,
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
  ],
  volume: [...METADATA, "metadata.annotations", "metadata.labels"],
} as const;

const SUBSCRIPT = /^(metadata\.(?:labels|annotations))\['([^']*)'\]$/;

/** `use` is how the value reaches the container. */
export function validateFieldPath(
  { fieldPath, apiVersion = "v1" }: ObjectFieldSelector,
  path: string,
  use: keyof typeof FIELDS,
): FieldProblem[] {
  const field = `${path}.fieldPath`;
  if (apiVersion !== "v1") {
    return [problem.notSupported(`${path}.apiVersion`, apiVersion, ["v1"])];
  }
  const [, , key] = SUBSCRIPT.exec(fieldPath) ?? [];
  if (key !== undefined) return check(field, key, qualifiedName(key.toLowerCase()));
  const supported: readonly string[] = FIELDS[use];
  return supported.includes(fieldPath) ? [] : [problem.notSupported(field, fieldPath, supported)];
}
