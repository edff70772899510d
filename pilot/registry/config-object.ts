/** Custom resources of Istio's groups as configuration objects. */

import type { KubeObject } from "#cluster/api/meta.ts";
import { objectKey } from "#pilot/model/name.ts";
import type { AnyConfigObject, ConfigKind } from "#pilot/model/object.ts";
import type { Problem } from "#pilot/model/problem.ts";
import { checkShape, withoutNulls } from "./shape.ts";
import { SHAPES } from "./shapes.ts";
import { sizeProblems } from "./size.ts";

const NETWORKING = "networking.istio.io";

const GROUPS: { readonly [K in ConfigKind]: string } = {
  VirtualService: NETWORKING,
  DestinationRule: NETWORKING,
  Gateway: NETWORKING,
  ServiceEntry: NETWORKING,
  Sidecar: NETWORKING,
  WorkloadEntry: NETWORKING,
  WorkloadGroup: NETWORKING,
  EnvoyFilter: NETWORKING,
  ProxyConfig: NETWORKING,
  Telemetry: "telemetry.istio.io",
};

const GROUP_BY_KIND: ReadonlyMap<string, string> = new Map(Object.entries(GROUPS));

/** Whether an object is one of the kinds read here; every served version has the same fields. */
export function isConfigObject(object: KubeObject): boolean {
  const group = GROUP_BY_KIND.get(object.kind ?? "");
  return group !== undefined && (object.apiVersion ?? "").startsWith(`${group}/`);
}

export type ConfigResult =
  | { readonly ok: true; readonly object: AnyConfigObject }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/** A configuration object, or all that is wrong with its shape; it then has no effect at all. */
export function convertConfigObject(object: KubeObject): ConfigResult {
  const kind = object.kind as ConfigKind;
  const { name, namespace = "default" } = object.metadata;
  const key = objectKey(kind, namespace, name);
  const spec = object.spec ?? {};
  const problems = checkShape(spec, SHAPES[kind], "spec");
  if (problems.length > 0) {
    return {
      ok: false,
      problems: problems.map(({ path, message }) => ({
        object: key,
        path,
        severity: "error",
        reason: "Malformed",
        message,
      })),
    };
  }
  const config = {
    kind,
    key,
    group: GROUPS[kind],
    namespace,
    name,
    generation: object.metadata.generation ?? 0,
    creationTimestamp: object.metadata.creationTimestamp ?? "",
    labels: object.metadata.labels ?? {},
    annotations: object.metadata.annotations ?? {},
    // The values of patches are Envoy's, where null may mean something.
    spec: kind === "EnvoyFilter" ? spec : withoutNulls(spec),
  } as AnyConfigObject;
  const excess = sizeProblems(config);
  return excess.length > 0 ? { ok: false, problems: excess } : { ok: true, object: config };
}
