/** Whose pod it is: the names under which a workload appears in metrics, logs and traces. */

import type { OwnerReference } from "#cluster/api/meta.ts";
import { type PodInput, own } from "./decide.ts";

export interface WorkloadIdentity {
  /** The Deployment, StatefulSet, Job, … or the pod itself. */
  name: string;
  /** Istio's form: `kubernetes://apis/apps/v1/namespaces/default/deployments/hello`. */
  owner: string;
  canonicalName: string;
  canonicalRevision: string;
}

const MAX_LABEL = 63;

/** Follows what Istio calls a workload: the owner of the owner where naming tells it. */
export function workloadIdentity(pod: PodInput, namespace: string): WorkloadIdentity {
  const labels = pod.metadata?.labels ?? {};
  const owner = topOwner(pod);
  const label = (...keys: string[]): string | undefined =>
    keys.map((key) => own(labels, key)).find((value) => value !== undefined && value !== "");
  return {
    name: owner.name,
    owner: ownerUri(owner, namespace),
    canonicalName: toLabel(
      label("service.istio.io/canonical-name", "app.kubernetes.io/name", "app") ?? owner.name,
    ),
    canonicalRevision:
      label("service.istio.io/canonical-revision", "app.kubernetes.io/version", "version") ??
      "latest",
  };
}

type Owner = Pick<OwnerReference, "apiVersion" | "kind" | "name">;

function topOwner(pod: PodInput): Owner {
  const controller = pod.metadata?.ownerReferences?.find((ref) => ref.controller === true);
  if (controller === undefined) {
    const { name, generateName = "" } = pod.metadata ?? {};
    return { apiVersion: "v1", kind: "Pod", name: name ?? generateName.replace(/-$/, "") };
  }
  const hash = own(pod.metadata?.labels ?? {}, "pod-template-hash");
  if (controller.kind === "ReplicaSet" && hash !== undefined) {
    const suffix = `-${hash}`;
    if (controller.name.endsWith(suffix)) {
      return { ...controller, kind: "Deployment", name: controller.name.slice(0, -suffix.length) };
    }
  }
  // A CronJob names its Jobs by the minute of their time.
  const cron = controller.kind === "Job" ? /^(.+)-\d{8,10}$/.exec(controller.name) : null;
  if (cron?.[1] !== undefined) return { ...controller, kind: "CronJob", name: cron[1] };
  return controller;
}

function ownerUri({ apiVersion, kind, name }: Owner, namespace: string): string {
  const plural = `${kind.toLowerCase()}s`;
  return `kubernetes://apis/${apiVersion}/namespaces/${namespace}/${plural}/${name}`;
}

/** Cut to a label value, which must end with a letter or digit. */
function toLabel(name: string): string {
  return name.slice(0, MAX_LABEL).replace(/[^a-zA-Z0-9]+$/, "");
}
