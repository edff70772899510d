/** Any Kubernetes API server as a source: list+watch of all kinds that the mesh reads. */

import type { EventSink } from "./object-feed.ts";
import type { Pod } from "#cluster/api/generated/core-v1.ts";
import type { CustomResourceDefinition } from "#cluster/api/generated/apiextensions-v1.ts";
import type { AnyObject, KubeObject } from "#cluster/api/meta.ts";
import {
  CONFIG_MAPS,
  CUSTOM_RESOURCE_DEFINITIONS,
  ENDPOINT_SLICES,
  INGRESSES,
  INGRESS_CLASSES,
  NAMESPACES,
  NODES,
  PODS,
  SECRETS,
  SERVICES,
} from "#cluster/api/resources.ts";
import type { Resource } from "#cluster/api/resources.ts";
import type { KubeClient } from "#cluster/client/client.ts";
import { createInformer } from "#cluster/client/create-informer.ts";
import type { InformerOptions } from "#cluster/client/informer.ts";
import { trimConfigMap, trimSecret } from "./trim-credential.ts";
import { HTTP_ROUTES } from "#pilot/registry/gateway-api.ts";
import { WATCHED_CONFIG } from "#pilot/registry/registry.ts";
import { UNSUPPORTED_CONFIG } from "#pilot/registry/unsupported.ts";
import type { PlatformEvent } from "#pilot/registry/registry.ts";

export interface KubernetesSourceOptions {
  client: KubeClient;
  feed: EventSink;
  log: (line: string) => void;
  signal: AbortSignal;
}

/** Settings of the mesh, and certificates of authorities; not those that every namespace has. */
const CONFIG_MAP_OPTIONS: InformerOptions<KubeObject> = {
  fieldSelector: "metadata.name!=kube-root-ca.crt,metadata.name!=istio-ca-root-cert",
  transform: trimConfigMap,
};

const SECRET_OPTIONS: InformerOptions<KubeObject> = {
  fieldSelector: "type!=helm.sh/release.v1,type!=kubernetes.io/service-account-token",
  transform: trimSecret,
};

const CUSTOM_RESOURCES = [...WATCHED_CONFIG, ...UNSUPPORTED_CONFIG, HTTP_ROUTES];

/** Versions of Istio's kinds, the preferred first; their fields are the same. */
const CONFIG_VERSIONS = ["v1", "v1beta1", "v1alpha3", "v1alpha1"];

/**
 * Follows the cluster until the signal aborts. Resolves when everything that exists has been
 * delivered. Kinds whose definition doesn't exist yet are followed as soon as it does.
 */
export async function startKubernetesSource(options: KubernetesSourceOptions): Promise<void> {
  const whole = [SERVICES, ENDPOINT_SLICES, NAMESPACES, INGRESSES, INGRESS_CLASSES];
  const synced = [
    ...whole.map((resource) => follow(plain(resource), {}, options)),
    follow(plain(PODS), { transform: trimPod }, options),
    follow(plain(NODES), { transform: trimNode }, options),
    follow(plain(CONFIG_MAPS), CONFIG_MAP_OPTIONS, options),
    follow(plain(SECRETS), SECRET_OPTIONS, options),
    followConfig(options),
  ];
  await Promise.all(synced);
}

/** The same for the workloads of a further cluster: its configuration is none of the mesh's. */
export async function startRemoteSource(
  options: KubernetesSourceOptions & { readonly cluster: string },
): Promise<void> {
  const { feed, cluster } = options;
  const remote = {
    ...options,
    feed: { handle: (event: PlatformEvent) => feed.handle({ ...event, cluster }) },
  };
  await Promise.all([
    ...[SERVICES, ENDPOINT_SLICES, NAMESPACES].map((resource) =>
      follow(plain(resource), {}, remote),
    ),
    follow(plain(PODS), { transform: trimPod }, remote),
    follow(plain(NODES), { transform: trimNode }, remote),
  ]);
}

function plain(resource: Resource<AnyObject>): Resource {
  return { ...resource, type: undefined };
}

/** Resolves when the first complete list has been delivered. */
async function follow(
  resource: Resource,
  informerOptions: InformerOptions<KubeObject>,
  { client, feed, signal }: KubernetesSourceOptions,
): Promise<void> {
  const informer = createInformer(client, resource, informerOptions);
  informer.onChange((change) =>
    feed.handle({ type: change.kind === "deleted" ? "delete" : "upsert", object: change.object }),
  );
  const run = informer.run(signal);
  await Promise.race([informer.synced, run]);
}

/** Follows the custom resources whose definitions exist, and later ones when they come. */
async function followConfig(options: KubernetesSourceOptions): Promise<void> {
  const running = new Map<string, { version: string; stop: AbortController }>();
  const initial: Promise<void>[] = [];
  const definitions = createInformer(options.client, CUSTOM_RESOURCE_DEFINITIONS, {
    transform: trimDefinition,
  });
  definitions.onChange((change) => {
    const { name } = change.object.metadata;
    const resource = CUSTOM_RESOURCES.find((one) => `${one.plural}.${one.group}` === name);
    if (resource === undefined) return;
    const version = change.kind === "deleted" ? undefined : servedVersion(change.object);
    const current = running.get(name);
    if (current?.version === version) return;
    current?.stop.abort();
    running.delete(name);
    if (version === undefined) return;
    const stop = new AbortController();
    running.set(name, { version, stop });
    const signal = AbortSignal.any([options.signal, stop.signal]);
    initial.push(follow({ ...resource, version }, {}, { ...options, signal }));
  });
  const run = definitions.run(options.signal);
  await Promise.race([definitions.synced, run]);
  await Promise.all(initial);
}

/** Undefined until the API server serves it; one that tells nothing is taken to serve `v1`. */
function servedVersion(definition: CustomResourceDefinition): string | undefined {
  const established = (definition.status?.conditions ?? []).find(
    (condition) => condition.type === "Established",
  );
  if (established !== undefined && established.status !== "True") return undefined;
  const versions = definition.spec?.versions;
  if (versions === undefined) return CONFIG_VERSIONS[0];
  const served = versions.filter((one) => one.served).map((one) => one.name);
  return CONFIG_VERSIONS.find((version) => served.includes(version));
}

/** A cluster has many pods, and little of each concerns the mesh. */
function trimPod(object: KubeObject): KubeObject {
  const { spec, status } = object as unknown as Pod;
  const ports = (container: { name: string; ports?: unknown[] }): object => ({
    name: container.name,
    ports: container.ports,
  });
  return {
    apiVersion: object.apiVersion,
    kind: object.kind,
    metadata: trimMeta(object),
    spec: {
      nodeName: spec?.nodeName,
      serviceAccountName: spec?.serviceAccountName,
      hostNetwork: spec?.hostNetwork,
      containers: (spec?.containers ?? []).map(ports),
      initContainers: (spec?.initContainers ?? []).map(ports),
    },
    status: {
      phase: status?.phase,
      podIP: status?.podIP,
      podIPs: status?.podIPs,
      conditions: status?.conditions?.filter((condition) => condition.type === "Ready"),
    },
  };
}

function trimNode(object: KubeObject): KubeObject {
  return { apiVersion: object.apiVersion, kind: object.kind, metadata: trimMeta(object) };
}

function trimMeta(object: KubeObject): KubeObject["metadata"] {
  const { managedFields: _, ...metadata } = object.metadata;
  return metadata;
}

function trimDefinition(definition: CustomResourceDefinition): CustomResourceDefinition {
  const { spec } = definition;
  if (spec === undefined) return definition;
  const versions = spec.versions.map(({ name, served, storage }) => ({ name, served, storage }));
  return { ...definition, spec: { ...spec, versions } };
}
