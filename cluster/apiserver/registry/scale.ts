/** The scale subresource: an object's replicas as an autoscaling/v1 Scale, by JSON paths. */

import type { KubeObject } from "#cluster/api/meta.ts";
import { formatLabelSelector } from "#cluster/api/selector.ts";
import { statusError } from "#cluster/api/status-error.ts";
import type { Kind, ScalePaths } from "#cluster/apiserver/kinds/kind.ts";
import { at, isObject, setOwn } from "#cluster/apiserver/schema/json.ts";
import { invalid } from "./errors.ts";

/** `.spec.replicas` → its steps. */
function stepsOf(path: string): string[] {
  return path.split(".").filter(Boolean);
}

export function toScale(paths: ScalePaths, object: Readonly<KubeObject>): KubeObject {
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata;
  const selector = selectorOf(paths, object);
  const status = numberOr0(at(object, ...stepsOf(paths.statusReplicasPath)));
  return {
    kind: "Scale",
    apiVersion: "autoscaling/v1",
    metadata: { name, namespace, uid, resourceVersion, creationTimestamp },
    spec: { replicas: numberOr0(at(object, ...stepsOf(paths.specReplicasPath))) },
    status: { replicas: status, ...(selector === undefined ? {} : { selector }) },
  };
}

/** Writes the replicas of a Scale into the object; throws when they are no count. */
export function fromScale(kind: Kind, object: KubeObject, scale: unknown): KubeObject {
  const { scale: paths } = kind;
  if (paths === undefined || !isObject(scale)) {
    throw statusError("BadRequest", "the body must be a Scale");
  }
  const replicas = at(scale, "spec", "replicas") ?? 0;
  if (!Number.isSafeInteger(replicas) || Number(replicas) < 0) {
    const message = `Invalid value: ${JSON.stringify(replicas)}: must be greater than or equal to 0`;
    throw invalid({ group: "autoscaling", kind: "Scale", plural: "scales" }, object.metadata.name, [
      { field: "spec.replicas", reason: "FieldValueInvalid", message },
    ]);
  }
  const resourceVersion = at(scale, "metadata", "resourceVersion");
  if (typeof resourceVersion === "string" && resourceVersion !== "") {
    object.metadata.resourceVersion = resourceVersion;
  }
  setAt(object, stepsOf(paths.specReplicasPath), replicas);
  return object;
}

function selectorOf(paths: ScalePaths, object: Readonly<KubeObject>): string | undefined {
  if (paths.labelSelectorPath === undefined) return undefined;
  const selector = at(object, ...stepsOf(paths.labelSelectorPath));
  if (typeof selector === "string") return selector;
  return isObject(selector) ? formatLabelSelector(selector) : undefined;
}

function setAt(object: KubeObject, steps: readonly string[], value: unknown): void {
  let current: Record<string, unknown> = object;
  for (const step of steps.slice(0, -1)) {
    const next = Object.hasOwn(current, step) ? current[step] : undefined;
    const inner = isObject(next) ? next : {};
    setOwn(current, step, inner);
    current = inner;
  }
  setOwn(current, steps.at(-1) ?? "", value);
}

function numberOr0(value: unknown): number {
  return typeof value === "number" ? value : 0;
}
