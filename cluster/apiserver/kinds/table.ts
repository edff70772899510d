/** The table of built-in kinds: everything that the API server serves without a CRD. */

import { DEPLOYMENT_COLUMNS, DEPLOYMENT_STRATEGY } from "./apps/deployment.ts";
import { REPLICA_SET_COLUMNS, REPLICA_SET_STRATEGY } from "./apps/replica-set.ts";
import { builtIn } from "./built-in.ts";
import { LEASE_COLUMNS } from "./coordination/lease.ts";
import {
  CONFIG_MAP_COLUMNS,
  CONFIG_MAP_STRATEGY,
  SECRET_COLUMNS,
  SECRET_STRATEGY,
} from "./core/data.ts";
import { ENDPOINTS_COLUMNS, ENDPOINTS_STRATEGY } from "./core/endpoints.ts";
import { EVENT_COLUMNS, EVENT_STRATEGY } from "./core/event.ts";
import {
  NAMESPACE_COLUMNS,
  NAMESPACE_STRATEGY,
  SERVICE_ACCOUNT_COLUMNS,
} from "./core/namespace.ts";
import { NODE_COLUMNS, NODE_STRATEGY } from "./core/node.ts";
import { POD_COLUMNS, POD_STRATEGY } from "./core/pod.ts";
import { SERVICE_COLUMNS, SERVICE_STRATEGY } from "./core/service.ts";
import {
  CUSTOM_RESOURCE_DEFINITION_COLUMNS,
  CUSTOM_RESOURCE_DEFINITION_STRATEGY,
} from "./extensions/custom-resource-definition.ts";
import { WEBHOOK_STRATEGY, WEBHOOK_COLUMNS } from "./extensions/webhooks.ts";
import type { Kind } from "./kind.ts";
import { ENDPOINT_SLICE_COLUMNS, ENDPOINT_SLICE_STRATEGY } from "./networking/endpoint-slice.ts";
import { INGRESS_CLASS_COLUMNS, INGRESS_CLASS_STRATEGY } from "./networking/ingress-class.ts";
import { INGRESS_COLUMNS, INGRESS_STRATEGY } from "./networking/ingress.ts";

const core = { group: "", version: "v1" };
const apps = { group: "apps", version: "v1", categories: ["all"] };
const networking = { group: "networking.k8s.io", version: "v1" };
const cluster = { namespaced: false };
/** Kinds whose status is written apart from the rest. */
const withStatus = { statusSubresource: true };
const withGeneration = { tracksGeneration: true };
const withScale = {
  scale: {
    specReplicasPath: ".spec.replicas",
    statusReplicasPath: ".status.replicas",
    labelSelectorPath: ".spec.selector",
  },
};

/** In the order in which discovery lists them. */
export const BUILT_IN_KINDS: readonly Kind[] = [
  builtIn({
    ...core,
    kind: "ConfigMap",
    shortNames: ["cm"],
    strategy: CONFIG_MAP_STRATEGY,
    columns: CONFIG_MAP_COLUMNS,
  }),
  builtIn({
    ...core,
    kind: "Endpoints",
    plural: "endpoints",
    shortNames: ["ep"],
    strategy: ENDPOINTS_STRATEGY,
    columns: ENDPOINTS_COLUMNS,
  }),
  builtIn({
    ...core,
    kind: "Event",
    shortNames: ["ev"],
    strategy: EVENT_STRATEGY,
    columns: EVENT_COLUMNS,
  }),
  builtIn({
    ...core,
    ...cluster,
    ...withStatus,
    kind: "Namespace",
    shortNames: ["ns"],
    strategy: NAMESPACE_STRATEGY,
    columns: NAMESPACE_COLUMNS,
  }),
  builtIn({
    ...core,
    ...cluster,
    ...withStatus,
    kind: "Node",
    shortNames: ["no"],
    strategy: NODE_STRATEGY,
    columns: NODE_COLUMNS,
  }),
  builtIn({
    ...core,
    ...withStatus,
    ...withGeneration,
    kind: "Pod",
    shortNames: ["po"],
    categories: ["all"],
    strategy: POD_STRATEGY,
    columns: POD_COLUMNS,
  }),
  builtIn({ ...core, kind: "Secret", strategy: SECRET_STRATEGY, columns: SECRET_COLUMNS }),
  builtIn({
    ...core,
    ...withStatus,
    kind: "Service",
    shortNames: ["svc"],
    categories: ["all"],
    strategy: SERVICE_STRATEGY,
    columns: SERVICE_COLUMNS,
  }),
  builtIn({
    ...core,
    kind: "ServiceAccount",
    shortNames: ["sa"],
    columns: SERVICE_ACCOUNT_COLUMNS,
  }),
  builtIn({
    ...apps,
    ...withStatus,
    ...withGeneration,
    ...withScale,
    kind: "Deployment",
    shortNames: ["deploy"],
    strategy: DEPLOYMENT_STRATEGY,
    columns: DEPLOYMENT_COLUMNS,
  }),
  builtIn({
    ...apps,
    ...withStatus,
    ...withGeneration,
    ...withScale,
    kind: "ReplicaSet",
    shortNames: ["rs"],
    strategy: REPLICA_SET_STRATEGY,
    columns: REPLICA_SET_COLUMNS,
  }),
  builtIn({
    ...networking,
    ...withStatus,
    ...withGeneration,
    kind: "Ingress",
    plural: "ingresses",
    shortNames: ["ing"],
    strategy: INGRESS_STRATEGY,
    columns: INGRESS_COLUMNS,
  }),
  builtIn({
    ...networking,
    ...cluster,
    ...withGeneration,
    kind: "IngressClass",
    plural: "ingressclasses",
    strategy: INGRESS_CLASS_STRATEGY,
    columns: INGRESS_CLASS_COLUMNS,
  }),
  builtIn({
    ...withGeneration,
    group: "discovery.k8s.io",
    version: "v1",
    kind: "EndpointSlice",
    strategy: ENDPOINT_SLICE_STRATEGY,
    columns: ENDPOINT_SLICE_COLUMNS,
  }),
  builtIn({
    group: "coordination.k8s.io",
    version: "v1",
    kind: "Lease",
    columns: LEASE_COLUMNS,
  }),
  builtIn({
    ...cluster,
    ...withGeneration,
    group: "admissionregistration.k8s.io",
    version: "v1",
    kind: "MutatingWebhookConfiguration",
    categories: ["api-extensions"],
    strategy: WEBHOOK_STRATEGY,
    columns: WEBHOOK_COLUMNS,
  }),
  builtIn({
    ...cluster,
    ...withGeneration,
    group: "admissionregistration.k8s.io",
    version: "v1",
    kind: "ValidatingWebhookConfiguration",
    categories: ["api-extensions"],
    strategy: WEBHOOK_STRATEGY,
    columns: WEBHOOK_COLUMNS,
  }),
  builtIn({
    ...cluster,
    ...withStatus,
    ...withGeneration,
    group: "apiextensions.k8s.io",
    version: "v1",
    kind: "CustomResourceDefinition",
    shortNames: ["crd", "crds"],
    categories: ["api-extensions"],
    strategy: CUSTOM_RESOURCE_DEFINITION_STRATEGY,
    columns: CUSTOM_RESOURCE_DEFINITION_COLUMNS,
  }),
];
