/** Everything that makes a mesh of a Kubernetes cluster, as objects in the order of application. */

import type { PodDisruptionBudget } from "#cluster/api/generated/policy-v1.ts";
import { loadCrds } from "#crds/load.ts";
import {
  GATEWAY_DEPLOYMENT,
  GATEWAY_INGRESS_CLASS,
  GATEWAY_NAME,
  GATEWAY_SERVICE,
  GATEWAY_SERVICE_ACCOUNT,
} from "#ingress/controller/manifests.ts";
import { autoscaler, controlPlane } from "./control-plane.ts";
import { type InstallOptions, NAMESPACE } from "./options.ts";

/**
 * Namespace, definitions, control plane, gateway. It may be applied at once and again: what needs
 * something else waits for it (a gateway's pods come as soon as the injector answers).
 */
export function manifest(options: InstallOptions): object[] {
  return [
    { apiVersion: "v1", kind: "Namespace", metadata: { name: NAMESPACE } },
    // The Gateway API's own are installed by who wants them, as for Istio.
    ...loadCrds().filter(({ spec }) => spec.group.endsWith(".istio.io")),
    ...controlPlane(options),
    ...(options.gateway ? gateway(options) : []),
  ];
}

/** The same gateway as in Lateen's own clusters. */
function gateway({ revision, imagePullSecrets, replicas }: InstallOptions): object[] {
  const { spec, metadata } = GATEWAY_DEPLOYMENT;
  const template = spec?.template;
  const labels = {
    ...template?.metadata?.labels,
    ...(revision !== "default" && { "istio.io/rev": revision }),
  };
  const deployment = {
    ...GATEWAY_DEPLOYMENT,
    spec: {
      ...spec,
      template: {
        metadata: { ...template?.metadata, labels },
        spec: {
          ...template?.spec,
          ...(imagePullSecrets.length > 0 && {
            imagePullSecrets: imagePullSecrets.map((name) => ({ name })),
          }),
        },
      },
    },
  };
  const budget: PodDisruptionBudget = {
    apiVersion: "policy/v1",
    kind: "PodDisruptionBudget",
    metadata,
    spec: { maxUnavailable: 1, selector: { matchLabels: { istio: "ingressgateway" } } },
  };
  const scaled = { name: GATEWAY_NAME, namespace: NAMESPACE, labels: metadata.labels ?? {} };
  return [
    { apiVersion: "networking.k8s.io/v1", kind: "IngressClass", ...withoutDefault() },
    { apiVersion: "v1", kind: "ServiceAccount", ...GATEWAY_SERVICE_ACCOUNT },
    { apiVersion: "v1", kind: "Service", ...GATEWAY_SERVICE },
    { apiVersion: "apps/v1", kind: "Deployment", ...deployment },
    budget,
    autoscaler(scaled, replicas.gateway),
  ];
}

/** A cluster's default class is its owner's to choose. */
function withoutDefault(): object {
  const { metadata, spec } = GATEWAY_INGRESS_CLASS;
  return { metadata: { name: metadata.name }, spec };
}
