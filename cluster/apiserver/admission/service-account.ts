/** Gives each pod a ServiceAccount and, unless it doesn't want one, a token volume. */

import { setTimeout as wait } from "node:timers/promises";
import type { KubeObject } from "#cluster/api/meta.ts";
import type { Container, PodSpec, ServiceAccount, Volume } from "#cluster/api/generated/core-v1.ts";
import { SERVICE_ACCOUNTS } from "#cluster/api/resources.ts";
import type {
  AdmissionPlugin,
  AdmissionRequest,
  RegistryContext,
} from "#cluster/apiserver/registry/context.ts";
import { forbidden } from "#cluster/apiserver/registry/errors.ts";
import { generateName } from "#cluster/apiserver/registry/metadata.ts";
import { findObject } from "#cluster/apiserver/registry/read.ts";
import { isObject } from "#cluster/apiserver/schema/json.ts";

const MOUNT_PATH = "/var/run/secrets/kubernetes.io/serviceaccount";
const VOLUME_PREFIX = "kube-api-access-";
/** The hour that Kubernetes takes, and the 7 seconds by which kubelets recognize the default. */
const TOKEN_SECONDS = 3607;
/** A namespace's default ServiceAccount is made by a controller, moments after the namespace. */
const DEFAULT_ATTEMPTS = 20;
const DEFAULT_INTERVAL_MS = 100;

export const SERVICE_ACCOUNT: AdmissionPlugin = {
  name: "ServiceAccount",
  async admit(request, context) {
    const { kind, operation, object } = request;
    if (kind.group !== "" || kind.plural !== "pods" || operation !== "CREATE") return;
    if (!isObject(object.spec) || isMirrorPod(object)) return;
    // Validation, which comes later, refuses what isn't as typed; here only containers are walked.
    const spec = object.spec as unknown as PodSpec;
    const name = spec.serviceAccountName || spec.serviceAccount || "default";
    spec.serviceAccountName = name;
    spec.serviceAccount = name;
    const account = await findAccount(context, request, name);
    if (spec.automountServiceAccountToken ?? account.automountServiceAccountToken ?? true) {
      mountToken(spec);
    }
    if ((spec.imagePullSecrets ?? []).length === 0 && account.imagePullSecrets !== undefined) {
      spec.imagePullSecrets = account.imagePullSecrets;
    }
  },
};

/** Static pods have no account: the kubelet and not the API server is their master. */
function isMirrorPod(object: KubeObject): boolean {
  return Object.hasOwn(object.metadata.annotations ?? {}, "kubernetes.io/config.mirror");
}

async function findAccount(
  context: RegistryContext,
  { kind, namespace, object, signal }: AdmissionRequest,
  name: string,
): Promise<Readonly<ServiceAccount>> {
  const attempts = name === "default" ? DEFAULT_ATTEMPTS : 1;
  for (let attempt = 1; attempt <= attempts; attempt++) {
    const account = findObject(context, SERVICE_ACCOUNTS, { namespace, name });
    if (account !== undefined) return account;
    if (attempt < attempts) await wait(DEFAULT_INTERVAL_MS, undefined, { signal });
  }
  const why = `error looking up service account ${namespace}/${name}: serviceaccount "${name}" not found`;
  throw forbidden(kind, object.metadata.name ?? "", why);
}

function mountToken(spec: PodSpec): void {
  const volumes = arrayOf<Volume>(spec.volumes);
  const existing = volumes.find((volume) => isTokenVolume(volume.name));
  const name = existing?.name ?? generateName(VOLUME_PREFIX);
  let mounted = false;
  const containers = [spec.initContainers, spec.containers].flatMap(arrayOf<Container>);
  for (const container of containers) {
    const mounts = arrayOf<NonNullable<Container["volumeMounts"]>[number]>(container.volumeMounts);
    if (mounts.some((mount) => mount.mountPath === MOUNT_PATH)) continue;
    container.volumeMounts = [...mounts, { name, mountPath: MOUNT_PATH, readOnly: true }];
    mounted = true;
  }
  if (mounted && existing === undefined) spec.volumes = [...volumes, tokenVolume(name)];
}

function isTokenVolume(name: unknown): boolean {
  return typeof name === "string" && name.startsWith(VOLUME_PREFIX);
}

function tokenVolume(name: string): Volume {
  const namespace = {
    path: "namespace",
    fieldRef: { apiVersion: "v1", fieldPath: "metadata.namespace" },
  };
  return {
    name,
    projected: {
      defaultMode: 0o644,
      sources: [
        { serviceAccountToken: { expirationSeconds: TOKEN_SECONDS, path: "token" } },
        { configMap: { name: "kube-root-ca.crt", items: [{ key: "ca.crt", path: "ca.crt" }] } },
        { downwardAPI: { items: [namespace] } },
      ],
    },
  };
}

/** A list of objects, whatever came: validation will refuse the rest. */
function arrayOf<T>(list: unknown): T[] {
  return Array.isArray(list) ? (list.filter(isObject) as T[]) : [];
}
