/** Where objects of every kind keep their pod template. */

import type { PodInput } from "#sidecar-injector/inject/pod-input.ts";
import type { WorkloadOwner } from "#sidecar-injector/inject/workload.ts";

type Json = Record<string, unknown>;

/** A pod or a pod template inside of an object, and how to put another in its place. */
export interface FoundPod {
  pod: PodInput;
  namespace?: string;
  /** Absent for a pod itself. */
  owner?: WorkloadOwner;
  name: string;
  replace: (pod: PodInput) => Json;
}

/** Path of the template by kind; every other kind is left alone. */
const TEMPLATES = new Map<string, readonly string[]>([
  ["Deployment", ["spec", "template"]],
  ["ReplicaSet", ["spec", "template"]],
  ["StatefulSet", ["spec", "template"]],
  ["DaemonSet", ["spec", "template"]],
  ["Job", ["spec", "template"]],
  ["ReplicationController", ["spec", "template"]],
  ["DeploymentConfig", ["spec", "template"]],
  ["Rollout", ["spec", "template"]],
  ["CronJob", ["spec", "jobTemplate", "spec", "template"]],
]);

/** Undefined where the object makes no pods. */
export function findPod(object: Json): FoundPod | undefined {
  const kind = typeof object.kind === "string" ? object.kind : "";
  const apiVersion = typeof object.apiVersion === "string" ? object.apiVersion : "";
  const metadata = isRecord(object.metadata) ? object.metadata : {};
  const name = typeof metadata.name === "string" ? metadata.name : "";
  const namespace = typeof metadata.namespace === "string" ? metadata.namespace : undefined;
  const path = kind === "Pod" ? [] : TEMPLATES.get(kind);
  const template = path?.reduce<unknown>(
    (value, key) => (isRecord(value) ? value[key] : undefined),
    object,
  );
  if (path === undefined || !isRecord(template)) return undefined;
  const { spec } = template;
  if (!isRecord(spec) || !Array.isArray(spec.containers)) return undefined;
  return {
    pod: template,
    namespace,
    name,
    ...(kind !== "Pod" && { owner: { apiVersion, kind, name } }),
    replace: (pod) => put(object, path, pod),
  };
}

/** A copy with another value at the path; the order of fields stays. */
function put(object: Json, [key, ...rest]: readonly string[], value: Json): Json {
  if (key === undefined) return value;
  const inner = isRecord(object[key]) ? object[key] : {};
  return { ...object, [key]: put(inner, rest, value) };
}

export function isRecord(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
