/** The table of built-in kinds: everything that the API server serves without a CRD. */

import { builtIn } from "./built-in.ts";
import type { Kind } from "./kind.ts";

const core = { group: "", version: "v1" };
const apps = { group: "apps", version: "v1", categories: ["all"] };
const networking = { group: "networking.k8s.io", version: "v1" };
const SCALE = {
  specReplicasPath: ".spec.replicas",
  statusReplicasPath: ".status.replicas",
  labelSelectorPath: ".spec.selector",
};

/** In the order in which discovery lists them. */
export const BUILT_IN_KINDS: readonly Kind[] = [
  builtIn({ ...core, kind: "ConfigMap", shortNames: ["cm"] }),
  builtIn({ ...core, kind: "Endpoints", plural: "endpoints", shortNames: ["ep"] }),
  builtIn({ ...core, kind: "Event", shortNames: ["ev"] }),
  builtIn({
    ...core,
    kind: "Namespace",
    namespaced: false,
    shortNames: ["ns"],
    statusSubresource: true,
  }),
  builtIn({
    ...core,
    kind: "Node",
    namespaced: false,
    shortNames: ["no"],
    statusSubresource: true,
  }),
  builtIn({
    ...core,
    kind: "Pod",
    shortNames: ["po"],
    categories: ["all"],
    statusSubresource: true,
    tracksGeneration: true,
  }),
  builtIn({ ...core, kind: "Secret" }),
  builtIn({
    ...core,
    kind: "Service",
    shortNames: ["svc"],
    categories: ["all"],
    statusSubresource: true,
  }),
  builtIn({ ...core, kind: "ServiceAccount", shortNames: ["sa"] }),
  builtIn({
    ...apps,
    kind: "Deployment",
    shortNames: ["deploy"],
    statusSubresource: true,
    tracksGeneration: true,
    scale: SCALE,
  }),
  builtIn({
    ...apps,
    kind: "ReplicaSet",
    shortNames: ["rs"],
    statusSubresource: true,
    tracksGeneration: true,
    scale: SCALE,
  }),
  builtIn({
    ...networking,
    kind: "Ingress",
    plural: "ingresses",
    shortNames: ["ing"],
    statusSubresource: true,
    tracksGeneration: true,
  }),
  builtIn({
    ...networking,
    kind: "IngressClass",
    plural: "ingressclasses",
    namespaced: false,
    tracksGeneration: true,
  }),
  builtIn({
    group: "discovery.k8s.io",
    version: "v1",
    kind: "EndpointSlice",
    tracksGeneration: true,
  }),
  builtIn({ group: "coordination.k8s.io", version: "v1", kind: "Lease" }),
  builtIn({
    group: "admissionregistration.k8s.io",
    version: "v1",
    kind: "MutatingWebhookConfiguration",
    namespaced: false,
    tracksGeneration: true,
    categories: ["api-extensions"],
  }),
  builtIn({
    group: "apiextensions.k8s.io",
    version: "v1",
    kind: "CustomResourceDefinition",
    namespaced: false,
    shortNames: ["crd", "crds"],
    categories: ["api-extensions"],
    statusSubresource: true,
    tracksGeneration: true,
  }),
];
