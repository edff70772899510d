/** A mesh of so many services with so many endpoints each, as objects of Kubernetes and Istio. */

import type { KubeObject } from "#cluster/api/meta.ts";

export interface WorldSize {
  readonly services: number;
  readonly endpoints: number;
  readonly proxies: number;
}

/** The port of every service: the name of its route configuration. */
export const PORT = 8080;
const NAMESPACES = 10;
const NETWORKING = "networking.istio.io/v1";
const LABELED = { "security.istio.io/tlsMode": "istio" };

/** Service, pods, slice, VirtualService and DestinationRule with two subsets of each service. */
export function* meshWorld({ services, endpoints }: WorldSize): Generator<KubeObject> {
  for (let index = 0; index < NAMESPACES; index++) {
    yield { apiVersion: "v1", kind: "Namespace", metadata: { name: `ns-${index}` } };
  }
  for (const plural of ["virtualservices", "destinationrules"]) yield definition(plural);
  for (let index = 0; index < services; index++) {
    const metadata = metadataOf(index);
    yield serviceObject(index);
    for (let at = 0; at < endpoints; at++) yield pod(index, at);
    yield endpointSlice(index, endpoints);
    yield virtualService(index, 50);
    const subsets = ["v1", "v2"].map((name) => ({ name, labels: { version: name } }));
    const spec = { host: hostOf(index), subsets };
    yield { apiVersion: NETWORKING, kind: "DestinationRule", metadata, spec };
  }
}

/** Routes so many percent to the first subset. */
export function virtualService(index: number, weight: number): KubeObject {
  const to = (subset: string, share: number): object => ({
    destination: { host: hostOf(index), subset },
    weight: share,
  });
  return {
    apiVersion: NETWORKING,
    kind: "VirtualService",
    metadata: metadataOf(index),
    spec: { hosts: [hostOf(index)], http: [{ route: [to("v1", weight), to("v2", 100 - weight)] }] },
  };
}

/** The first endpoints of a service; more than the world has are addresses without a pod. */
export function endpointSlice(index: number, count: number): KubeObject {
  const metadata = metadataOf(index);
  return {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { ...metadata, labels: { "kubernetes.io/service-name": metadata.name } },
    addressType: "IPv4",
    ports: [{ name: "http", port: PORT, protocol: "TCP" }],
    endpoints: Array.from({ length: count }, (_none, at) => ({
      addresses: [addressOf(index, at)],
      conditions: { ready: true },
      targetRef: { kind: "Pod", name: `${metadata.name}-${at}`, namespace: metadata.namespace },
    })),
  };
}

/** The node of a sidecar beside the first pod of a service. */
export function sidecarNodeOf(index: number): object {
  const { name, namespace } = metadataOf(index);
  return {
    id: `sidecar~${addressOf(index, 0)}~${name}-0.${namespace}~${namespace}.svc.cluster.local`,
    userAgentName: "envoy",
    metadata: { NAMESPACE: namespace, LABELS: { ...LABELED, app: name, version: "v1" } },
  };
}

function serviceObject(index: number): KubeObject {
  const metadata = metadataOf(index);
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata,
    spec: {
      clusterIP: `172.20.${index >> 8}.${index & 255}`,
      selector: { app: metadata.name },
      ports: [{ name: "http", port: PORT, targetPort: PORT, protocol: "TCP" }],
    },
  };
}

function pod(index: number, at: number): KubeObject {
  const { name, namespace, creationTimestamp } = metadataOf(index);
  const labels = { ...LABELED, app: name, version: at % 2 === 0 ? "v1" : "v2" };
  const podIP = addressOf(index, at);
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: `${name}-${at}`, namespace, creationTimestamp, labels },
    spec: { serviceAccountName: name, nodeName: "node-0", containers: [{ name: "app" }] },
    status: { phase: "Running", podIP, podIPs: [{ ip: podIP }] },
  };
}

function definition(plural: string): KubeObject {
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `${plural}.networking.istio.io` },
    spec: { versions: [{ name: "v1", served: true }] },
  };
}

interface Metadata {
  readonly name: string;
  readonly namespace: string;
  readonly creationTimestamp: string;
}

function metadataOf(index: number): Metadata {
  return {
    name: `svc-${index}`,
    namespace: `ns-${index % NAMESPACES}`,
    creationTimestamp: "2026-01-01T00:00:00Z",
  };
}

function hostOf(index: number): string {
  const { name, namespace } = metadataOf(index);
  return `${name}.${namespace}.svc.cluster.local`;
}

/** 256 addresses for each service. */
function addressOf(index: number, at: number): string {
  return `10.${1 + (index >> 8)}.${index & 255}.${at}`;
}
