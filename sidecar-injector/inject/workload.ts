/** Whose pod it is: the names under which a workload appears in metrics, logs and traces. */

import type { OwnerReference } from "#cluster/api/meta.ts";
import { type PodInput, own } from "./pod-input.ts";

/** The object that makes pods of a template. */
export type WorkloadOwner = Pick<OwnerReference, "apiVersion" | "kind" | "name">;

export interface WorkloadIdentity {
  /** The Deployment, StatefulSet, Job, … or the pod itself. */
  name: string;
  /** Istio's form: `kubernetes://apis/apps/v1/namespaces/default/deployments/hello`. */
  owner: string;
  canonicalName: string;
  canonicalRevision: string;
}

const MAX_LABEL = 63;

/**
 * Follows what Istio calls a workload: the owner of the owner where naming tells it. `template` is
 * the object whose pod template this is, when that is what is injected.
 */
export function workloadIdentity(
  pod: PodInput,
  namespace: string,
  template?: WorkloadOwner,
): WorkloadIdentity {
  const labels = pod.metadata?.labels ?? {};
  const owner = template ?? topOwner(pod);
  const label = (...keys: string[]): string | undefined =>
    keys.map((key) => own(labels, key)).find((value) => value !== undefined && value !== "");
  return {
    name: label("service.istio.io/workload-name") ?? owner.name,
    owner: ownerUri(owner, namespace),
    canonicalName: toLabel(
      label("service.istio.io/canonical-name", "app.kubernetes.io/name", "app") ?? owner.name,
    ),
    canonicalRevision:
      label("service.istio.io/canonical-revision", "app.kubernetes.io/version", "version") ??
      "latest",
  };
}

function topOwner(pod: PodInput): WorkloadOwner {
  const controller = pod.metadata?.ownerReferences?.find((ref) => ref.controller === true);
  if (controller === undefined) {
    const { name, generateName = "" } = pod.metadata ?? {};
    return { apiVersion: "v1", kind: "Pod", name: name ?? generateName.replace(/-$/, "") };
  }
  const labels = pod.metadata?.labels ?? {};
  if (controller.kind === "ReplicaSet") {
    const withoutHash = (label: string): string | undefined => {
      const suffix = `-${own(labels, label) ?? ""}`;
      return suffix !== "-" && controller.name.endsWith(suffix)
        ? controller.name.slice(0, -suffix.length)
        : undefined;
    };
    const deployment = withoutHash("pod-template-hash");
    if (deployment !== undefined) return { ...controller, kind: "Deployment", name: deployment };
    const rollout = withoutHash("rollouts-pod-template-hash");
    if (rollout !== undefined) return { apiVersion: "v1alpha1", kind: "Rollout", name: rollout };
  }
  const config = own(labels, "deploymentconfig");
  if (controller.kind === "ReplicationController" && config !== undefined && config !== "") {
    return { ...controller, kind: "DeploymentConfig", name: config };
  }
  // A CronJob names its Jobs by the minute of their time.
  const cron = controller.kind === "Job" ? /^(.+)-\d{8,10}$/.exec(controller.name) : null;
  if (cron?.[1] !== undefined) return { apiVersion: "batch/v1", kind: "CronJob", name: cron[1] };
  return controller;
}

function ownerUri({ apiVersion, kind, name }: WorkloadOwner, namespace: string): string {
  const plural = `${kind.toLowerCase()}s`;
  return `kubernetes://apis/${apiVersion}/namespaces/${namespace}/${plural}/${name}`;
}

/** Cut to a label value, which must begin and end with a letter or digit. */
function toLabel(name: string): string {
  return name.slice(0, MAX_LABEL).replaceAll(/^[-_.]+|[-_.]+$/g, "");
}
