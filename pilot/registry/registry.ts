/**
 * Objects of a platform in, changes of the model out. It keeps what has to be joined (pods and
 * nodes with EndpointSlices, workloads with ServiceEntries) and nothing else; feeding it the same
 * objects in any order leads to the same model.
 */

import type { KubeObject } from "#cluster/api/meta.ts";
import type * as core from "#cluster/api/generated/core-v1.ts";
import type * as discovery from "#cluster/api/generated/discovery-v1.ts";
import type { Resource } from "#cluster/api/resources.ts";
import type { Change } from "#pilot/model/change.ts";
import { DEFAULT_MESH, type MeshConfig } from "#pilot/model/mesh-config.ts";
import { type ObjectKey, objectKey } from "#pilot/model/name.ts";
import {
  type ModelObject,
  type ServiceEntry,
  type Workload,
  compareText,
} from "#pilot/model/object.ts";
import type { Problem } from "#pilot/model/problem.ts";
import { convertConfigObject, isConfigObject } from "./config-object.ts";
import {
  convertEndpointSlice,
  convertNamespace,
  convertPod,
  convertService,
} from "./kubernetes.ts";
import { parseMeshConfig } from "./mesh-config.ts";
import { convertServiceEntry, endpointsOfServiceEntry } from "./service-entry.ts";

/** An object was seen, or is gone (then only its identity counts). */
export interface PlatformEvent {
  readonly type: "upsert" | "delete";
  readonly object: KubeObject;
}

/** Custom resources that a registry wants to hear of. */
export const WATCHED_CONFIG: readonly Resource[] = (
  [
    ["networking.istio.io", "v1", "VirtualService", "virtualservices"],
    ["networking.istio.io", "v1", "DestinationRule", "destinationrules"],
    ["networking.istio.io", "v1", "Gateway", "gateways"],
    ["networking.istio.io", "v1", "ServiceEntry", "serviceentries"],
    ["networking.istio.io", "v1", "Sidecar", "sidecars"],
    ["networking.istio.io", "v1alpha3", "EnvoyFilter", "envoyfilters"],
    ["networking.istio.io", "v1beta1", "ProxyConfig", "proxyconfigs"],
    ["telemetry.istio.io", "v1", "Telemetry", "telemetries"],
  ] as const
).map(([group, version, kind, plural]) => ({
  group,
  version,
  plural,
  kind,
  namespaced: true,
}));

const MESH_KEY = objectKey("MeshConfig", "", "mesh");
const MESH_CONFIG_MAP = "istio";

/** Joins and converts; one instance follows one platform. */
export class Registry {
  readonly #base: MeshConfig;
  readonly #nodes = new Map<string, core.Node>();
  readonly #pods = new Map<string, core.Pod>();
  /** By pod (`namespace/name`) and by address. */
  readonly #workloads = new Map<string, Workload>();
  readonly #workloadsByAddress = new Map<string, Workload>();
  readonly #slices = new Map<string, discovery.EndpointSlice>();
  /** Pod or address → keys of slices that name it. */
  readonly #slicesByPod = new Map<string, Set<string>>();
  readonly #podsByNode = new Map<string, Set<string>>();
  /** ServiceEntries with a workloadSelector. */
  readonly #selecting = new Map<ObjectKey, ServiceEntry>();
  /** What every object has become, so that a change takes back what it no longer makes. */
  readonly #made = new Map<string, readonly ObjectKey[]>();
  readonly #problems = new Map<ObjectKey, readonly Problem[]>();

  constructor(options: { readonly mesh?: MeshConfig } = {}) {
    this.#base = options.mesh ?? DEFAULT_MESH;
  }

  /** The settings that hold before any ConfigMap is seen; feed them first. */
  initialChanges(): Change[] {
    return [{ type: "upsert", object: { kind: "MeshConfig", key: MESH_KEY, mesh: this.#base } }];
  }

  /** Problems of objects that could not be understood wholly. */
  problems(): readonly Problem[] {
    return [...this.#problems.values()].flat();
  }

  /** What an event means for the model; nothing for kinds that the mesh doesn't read. */
  handle(event: PlatformEvent): Change[] {
    const { object } = event;
    if (isConfigObject(object)) return this.#handleConfig(event);
    switch (`${object.apiVersion}/${object.kind}`) {
      case "v1/Service":
        return this.#become(event, () => [
          convertService(object as core.Service, this.#base.clusterDomain),
        ]);
      case "v1/Namespace":
        return this.#become(event, () => [convertNamespace(object)]);
      case "v1/Node":
        return this.#handleNode(event, object as core.Node);
      case "v1/Pod":
        return this.#handlePod(event, object as core.Pod);
      case "discovery.k8s.io/v1/EndpointSlice":
        return this.#handleSlice(event, object as unknown as discovery.EndpointSlice);
      case "v1/ConfigMap":
        return this.#handleConfigMap(event, object);
      default:
        return [];
    }
  }

  #handleConfig(event: PlatformEvent): Change[] {
    const { kind, metadata } = event.object;
    const key = objectKey(kind ?? "", metadata.namespace ?? "default", metadata.name);
    this.#problems.delete(key);
    if (event.type === "delete") {
      this.#selecting.delete(key);
      return this.#become(event, () => []);
    }
    const result = convertConfigObject(event.object);
    if (!result.ok) {
      this.#selecting.delete(key);
      this.#problems.set(key, result.problems);
      return this.#become({ ...event, type: "delete" }, () => []);
    }
    const config = result.object;
    if (config.kind !== "ServiceEntry") return this.#become(event, () => [config]);
    if (config.spec.workloadSelector !== undefined) {
      this.#selecting.set(config.key, config);
    } else this.#selecting.delete(config.key);
    return this.#become(event, () => [
      config,
      ...convertServiceEntry(config),
      ...endpointsOfServiceEntry(config, this.#workloads.values()),
    ]);
  }

  #handleNode(event: PlatformEvent, node: core.Node): Change[] {
    const { name } = node.metadata;
    const before = this.#nodes.get(name);
    if (event.type === "delete") this.#nodes.delete(name);
    else this.#nodes.set(name, node);
    if (sameTopology(before, this.#nodes.get(name))) return [];
    return [...(this.#podsByNode.get(name) ?? [])].flatMap((key) => {
      const pod = this.#pods.get(key);
      return pod === undefined
        ? []
        : this.#handlePod({ type: "upsert", object: asObject(pod) }, pod);
    });
  }

  #handlePod(event: PlatformEvent, pod: core.Pod): Change[] {
    const { namespace = "default", name } = pod.metadata;
    const key = `${namespace}/${name}`;
    const before = this.#workloads.get(key);
    const nodeName = (pod.spec ?? this.#pods.get(key)?.spec)?.nodeName ?? "";
    const after = event.type === "delete" ? undefined : convertPod(pod, this.#nodes.get(nodeName));
    if (event.type === "delete") {
      this.#pods.delete(key);
      dropFrom(this.#podsByNode, nodeName, key);
    } else {
      this.#pods.set(key, pod);
      addTo(this.#podsByNode, nodeName, key);
    }
    if (JSON.stringify(before) === JSON.stringify(after)) return [];
    this.#replaceWorkload(key, before, after);
    return [
      ...this.#become({ type: event.type, object: asObject(pod) }, () =>
        after === undefined ? [] : [after],
      ),
      ...this.#slicesAround(key, before, after),
      ...this.#entriesAround(before, after),
    ];
  }

  #replaceWorkload(key: string, before: Workload | undefined, after: Workload | undefined): void {
    for (const address of before?.addresses ?? []) {
      if (this.#workloadsByAddress.get(address) === before)
        this.#workloadsByAddress.delete(address);
    }
    if (after === undefined) this.#workloads.delete(key);
    else this.#workloads.set(key, after);
    for (const address of after?.addresses ?? []) this.#workloadsByAddress.set(address, after!);
  }

  #slicesAround(key: string, before: Workload | undefined, after: Workload | undefined): Change[] {
    const names = new Set([key, ...(before?.addresses ?? []), ...(after?.addresses ?? [])]);
    const slices = new Set([...names].flatMap((name) => [...(this.#slicesByPod.get(name) ?? [])]));
    return [...slices].flatMap((sliceKey) => {
      const slice = this.#slices.get(sliceKey);
      if (slice === undefined) return [];
      return this.#becomeSlice({ type: "upsert", object: asObject(slice) }, slice);
    });
  }

  #entriesAround(before: Workload | undefined, after: Workload | undefined): Change[] {
    const namespace = after?.namespace ?? before?.namespace;
    return [...this.#selecting.values()]
      .filter((entry) => entry.namespace === namespace)
      .flatMap((entry) =>
        endpointsOfServiceEntry(entry, this.#workloads.values()).map((object): Change => ({
          type: "upsert",
          object,
        })),
      );
  }

  #handleSlice(event: PlatformEvent, slice: discovery.EndpointSlice): Change[] {
    const key = `${slice.metadata.namespace ?? "default"}/${slice.metadata.name}`;
    for (const name of namesIn(this.#slices.get(key))) dropFrom(this.#slicesByPod, name, key);
    if (event.type === "delete") this.#slices.delete(key);
    else {
      this.#slices.set(key, slice);
      for (const name of namesIn(slice)) addTo(this.#slicesByPod, name, key);
    }
    return this.#becomeSlice(event, slice);
  }

  #becomeSlice(event: PlatformEvent, slice: discovery.EndpointSlice): Change[] {
    return this.#become(event, () => {
      const find = (namespace: string, pod: string, address: string): Workload | undefined =>
        this.#workloads.get(`${namespace}/${pod}`) ??
        (pod === "" ? this.#workloadsByAddress.get(address) : undefined);
      const set = convertEndpointSlice(slice, find, this.#base.clusterDomain);
      return set === undefined ? [] : [set];
    });
  }

  #handleConfigMap(event: PlatformEvent, map: core.ConfigMap): Change[] {
    const { name, namespace } = map.metadata;
    if (name !== MESH_CONFIG_MAP || namespace !== this.#base.rootNamespace) return [];
    const key = objectKey("ConfigMap", namespace, name);
    this.#problems.delete(key);
    if (event.type === "delete") return this.initialChanges();
    const { mesh, problems } = parseMeshConfig(map.data?.mesh ?? "", this.#base);
    if (problems.length > 0) {
      this.#problems.set(
        key,
        problems.map(({ path, message }) => ({
          object: key,
          path: `data.mesh.${path}`,
          severity: "error",
          reason: "InvalidSetting",
          message,
        })),
      );
    }
    return [{ type: "upsert", object: { kind: "MeshConfig", key: MESH_KEY, mesh } }];
  }

  /** Upserts what the object makes now, and deletes what it made before and no longer does. */
  #become(event: PlatformEvent, make: () => readonly ModelObject[]): Change[] {
    const { object } = event;
    const id = `${object.kind}/${object.metadata.namespace ?? ""}/${object.metadata.name}`;
    const made = event.type === "delete" ? [] : make();
    const keys = new Set(made.map((one) => one.key));
    const gone = (this.#made.get(id) ?? []).filter((key) => !keys.has(key));
    if (made.length === 0) this.#made.delete(id);
    else this.#made.set(id, [...keys]);
    return [
      ...gone.map((key): Change => ({ type: "delete", key })),
      ...made.map((one): Change => ({ type: "upsert", object: one })),
    ];
  }
}

/** Generated types have no index signature; the parsed object is the same. */
function asObject(object: core.Pod | discovery.EndpointSlice): KubeObject {
  return object as unknown as KubeObject;
}

function sameTopology(left: core.Node | undefined, right: core.Node | undefined): boolean {
  const topology = (node: core.Node | undefined): string =>
    JSON.stringify(
      Object.entries(node?.metadata.labels ?? {})
        .filter(([name]) => name.startsWith("topology."))
        .toSorted(([one], [other]) => compareText(one, other)),
    );
  return topology(left) === topology(right);
}

/** Pods by name, and addresses of endpoints that name no pod. */
function namesIn(slice: discovery.EndpointSlice | undefined): string[] {
  const namespace = slice?.metadata.namespace ?? "default";
  return (slice?.endpoints ?? []).flatMap((endpoint) =>
    endpoint.targetRef?.kind === "Pod"
      ? [`${endpoint.targetRef.namespace ?? namespace}/${endpoint.targetRef.name ?? ""}`]
      : endpoint.addresses,
  );
}

function addTo(index: Map<string, Set<string>>, name: string, key: string): void {
  const keys = index.get(name);
  if (keys === undefined) index.set(name, new Set([key]));
  else keys.add(key);
}

function dropFrom(index: Map<string, Set<string>>, name: string, key: string): void {
  const keys = index.get(name);
  keys?.delete(key);
  if (keys?.size === 0) index.delete(name);
}
