/** Typed names of the resources that Lateen's own components read and write. */

import type { KubeObject, AnyObject } from "./meta.ts";
import type {
  MutatingWebhookConfiguration,
  ValidatingWebhookConfiguration,
} from "./generated/admissionregistration-v1.ts";
import type { CustomResourceDefinition } from "./generated/apiextensions-v1.ts";
import type { Deployment, ReplicaSet } from "./generated/apps-v1.ts";
import type { Lease } from "./generated/coordination-v1.ts";
import type {
  ConfigMap,
  Endpoints,
  Event,
  Namespace,
  Node,
  Pod,
  Secret,
  Service,
  ServiceAccount,
} from "./generated/core-v1.ts";
import type { EndpointSlice } from "./generated/discovery-v1.ts";
import type { Ingress, IngressClass } from "./generated/networking-v1.ts";

/** One served resource; `T` is the type of its objects and exists for the compiler only. */
export interface Resource<T extends AnyObject = KubeObject> {
  /** Empty for the core group. */
  readonly group: string;
  readonly version: string;
  /** The plural, as in the URL. */
  readonly plural: string;
  readonly kind: string;
  readonly namespaced: boolean;
  readonly type?: T;
}

function core<T extends AnyObject>(kind: string, plural: string, namespaced = true): Resource<T> {
  return { group: "", version: "v1", plural, kind, namespaced };
}

export const NAMESPACES = core<Namespace>("Namespace", "namespaces", false);
export const NODES = core<Node>("Node", "nodes", false);
export const PODS = core<Pod>("Pod", "pods");
export const SERVICES = core<Service>("Service", "services");
export const ENDPOINTS = core<Endpoints>("Endpoints", "endpoints");
export const CONFIG_MAPS = core<ConfigMap>("ConfigMap", "configmaps");
export const SECRETS = core<Secret>("Secret", "secrets");
export const SERVICE_ACCOUNTS = core<ServiceAccount>("ServiceAccount", "serviceaccounts");
export const EVENTS = core<Event>("Event", "events");

export const DEPLOYMENTS: Resource<Deployment> = {
  group: "apps",
  version: "v1",
  plural: "deployments",
  kind: "Deployment",
  namespaced: true,
};

export const REPLICA_SETS: Resource<ReplicaSet> = {
  group: "apps",
  version: "v1",
  plural: "replicasets",
  kind: "ReplicaSet",
  namespaced: true,
};

export const ENDPOINT_SLICES: Resource<EndpointSlice> = {
  group: "discovery.k8s.io",
  version: "v1",
  plural: "endpointslices",
  kind: "EndpointSlice",
  namespaced: true,
};

export const LEASES: Resource<Lease> = {
  group: "coordination.k8s.io",
  version: "v1",
  plural: "leases",
  kind: "Lease",
  namespaced: true,
};

export const INGRESSES: Resource<Ingress> = {
  group: "networking.k8s.io",
  version: "v1",
  plural: "ingresses",
  kind: "Ingress",
  namespaced: true,
};

export const INGRESS_CLASSES: Resource<IngressClass> = {
  group: "networking.k8s.io",
  version: "v1",
  plural: "ingressclasses",
  kind: "IngressClass",
  namespaced: false,
};

export const MUTATING_WEBHOOKS: Resource<MutatingWebhookConfiguration> = {
  group: "admissionregistration.k8s.io",
  version: "v1",
  plural: "mutatingwebhookconfigurations",
  kind: "MutatingWebhookConfiguration",
  namespaced: false,
};

export const VALIDATING_WEBHOOKS: Resource<ValidatingWebhookConfiguration> = {
  group: "admissionregistration.k8s.io",
  version: "v1",
  plural: "validatingwebhookconfigurations",
  kind: "ValidatingWebhookConfiguration",
  namespaced: false,
};

export const CUSTOM_RESOURCE_DEFINITIONS: Resource<CustomResourceDefinition> = {
  group: "apiextensions.k8s.io",
  version: "v1",
  plural: "customresourcedefinitions",
  kind: "CustomResourceDefinition",
  namespaced: false,
};

/** `v1` or `group/version`. */
export function apiVersionOf(resource: { group: string; version: string }): string {
  return resource.group === "" ? resource.version : `${resource.group}/${resource.version}`;
}

/** The URL path of a collection or, with a name, of one object (and of its subresource). */
export function resourcePath(
  resource: Resource<AnyObject>,
  at: { namespace?: string; name?: string; subresource?: string } = {},
): string {
  const root = resource.group === "" ? "/api/v1" : `/apis/${resource.group}/${resource.version}`;
  const parts = [root];
  if (resource.namespaced && at.namespace !== undefined && at.namespace !== "") {
    parts.push("namespaces", encodeURIComponent(at.namespace));
  }
  parts.push(resource.plural);
  if (at.name !== undefined) parts.push(encodeURIComponent(at.name));
  if (at.subresource !== undefined) parts.push(at.subresource);
  return parts.join("/");
}
