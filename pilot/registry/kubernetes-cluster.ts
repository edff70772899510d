/**
 * One Kubernetes cluster: its objects joined, endpoints with the labels and places of their pods.
 * Names of what a further cluster contributes end in `@CLUSTER`.
 */

import type { KubeObject } from "#cluster/api/meta.ts";
import type * as core from "#cluster/api/generated/core-v1.ts";
import type * as discovery from "#cluster/api/generated/discovery-v1.ts";
import type { Change } from "#pilot/model/change.ts";
import { type ObjectKey, objectKey } from "#pilot/model/name.ts";
import {
  type EndpointSet,
  type Labels,
  type ModelObject,
  type Workload,
  compareText,
} from "#pilot/model/object.ts";
import { convertEndpointSlice, convertPod, convertService } from "./kubernetes.ts";
import { MadeObjects, SetsByKey } from "./made-objects.ts";
import { type MeshNetworks, NETWORK_LABEL, gatewaysOfService, networkOf } from "./networks.ts";

export interface ClusterOptions {
  /** Undefined for the cluster that configuration comes from. */
  readonly remote: string | undefined;
  readonly clusterId: string;
  readonly clusterDomain: string;
  readonly rootNamespace: string;
  readonly networks: () => MeshNetworks;
  /** What a changed pod means for those who select workloads. */
  readonly onWorkload: (before: Workload | undefined, after: Workload | undefined) => Change[];
}

interface ClusterEvent {
  readonly type: "upsert" | "delete";
  readonly object: KubeObject;
}

export class KubernetesCluster {
  readonly #options: ClusterOptions;
  readonly #made = new MadeObjects();
  readonly #nodes = new Map<string, core.Node>();
  readonly #pods = new Map<string, core.Pod>();
  readonly #workloads = new Map<string, Workload>();
  /** Keys of pods; the same address may be several pods' (host network). */
  readonly #podsByAddress = new SetsByKey();
  readonly #podsByNode = new SetsByKey();
  readonly #slices = new Map<string, discovery.EndpointSlice>();
  /** Pod or address → keys of slices that name it. */
  readonly #slicesByPod = new SetsByKey();
  /** Of the label of the root namespace. */
  #network = "";

  constructor(options: ClusterOptions) {
    this.#options = options;
  }

  service(event: ClusterEvent): Change[] {
    const service = event.object as core.Service;
    return this.#become(event, () => {
      const { clusterDomain, clusterId, remote } = this.#options;
      const converted = this.#own(convertService(service, clusterDomain));
      const at = { cluster: clusterId, clusterDomain };
      const gateways = gatewaysOfService(service, at, this.#options.networks());
      if (gateways.length === 0) return [converted];
      const { namespace } = converted;
      const key = objectKey("NetworkGateways", namespace, nameIn(remote, converted.name));
      return [converted, { kind: "NetworkGateways", key, source: converted.source, gateways }];
    });
  }

  /** True if the network of everything in the cluster is another now. */
  namespace({ type, object }: ClusterEvent): boolean {
    if (object.metadata.name !== this.#options.rootNamespace) return false;
    const network = type === "delete" ? "" : (object.metadata.labels?.[NETWORK_LABEL] ?? "");
    const changed = network !== this.#network;
    this.#network = network;
    return changed;
  }

  /** The network of an address in this cluster. */
  networkOf(address: string, labels: Labels): string {
    const at = { cluster: this.#options.clusterId, address, labels, ofNamespace: this.#network };
    return networkOf(at, this.#options.networks());
  }

  node(event: ClusterEvent): Change[] {
    const node = event.object as core.Node;
    const { name } = node.metadata;
    const before = this.#nodes.get(name);
    if (event.type === "delete") this.#nodes.delete(name);
    else this.#nodes.set(name, node);
    if (sameTopology(before, this.#nodes.get(name))) return [];
    return [...this.#podsByNode.of(name)].flatMap((key) => {
      const pod = this.#pods.get(key);
      return pod === undefined ? [] : this.pod({ type: "upsert", object: asObject(pod) });
    });
  }

  pod(event: ClusterEvent): Change[] {
    const pod = event.object as unknown as core.Pod;
    const key = `${pod.metadata.namespace ?? "default"}/${pod.metadata.name}`;
    const before = this.#workloads.get(key);
    this.#podsByNode.drop(this.#pods.get(key)?.spec?.nodeName ?? "", key);
    if (event.type === "delete") this.#pods.delete(key);
    else {
      this.#pods.set(key, pod);
      this.#podsByNode.add(pod.spec?.nodeName ?? "", key);
    }
    const after = event.type === "delete" ? undefined : this.#workloadOf(pod);
    if (JSON.stringify(before) === JSON.stringify(after)) return [];
    for (const address of before?.addresses ?? []) this.#podsByAddress.drop(address, key);
    for (const address of after?.addresses ?? []) this.#podsByAddress.add(address, key);
    if (after === undefined) this.#workloads.delete(key);
    else this.#workloads.set(key, after);
    return [
      ...this.#become(event, () => (after === undefined ? [] : [after])),
      ...this.#slicesAround(key, before, after),
      ...this.#options.onWorkload(before, after),
    ];
  }

  #workloadOf(pod: core.Pod): Workload | undefined {
    const found = convertPod(pod, this.#nodes.get(pod.spec?.nodeName ?? ""));
    if (found === undefined) return undefined;
    return this.#own({ ...found, network: this.networkOf(found.addresses[0] ?? "", found.labels) });
  }

  #slicesAround(key: string, before: Workload | undefined, after: Workload | undefined): Change[] {
    const names = new Set([key, ...(before?.addresses ?? []), ...(after?.addresses ?? [])]);
    const slices = new Set([...names].flatMap((name) => [...this.#slicesByPod.of(name)]));
    return [...slices].flatMap((sliceKey) => {
      const slice = this.#slices.get(sliceKey);
      if (slice === undefined) return [];
      return this.#becomeSlice({ type: "upsert", object: asObject(slice) }, slice);
    });
  }

  slice(event: ClusterEvent): Change[] {
    const slice = event.object as unknown as discovery.EndpointSlice;
    const key = `${slice.metadata.namespace ?? "default"}/${slice.metadata.name}`;
    for (const name of namesIn(this.#slices.get(key))) this.#slicesByPod.drop(name, key);
    if (event.type === "delete") this.#slices.delete(key);
    else {
      this.#slices.set(key, slice);
      for (const name of namesIn(slice)) this.#slicesByPod.add(name, key);
    }
    return this.#becomeSlice(event, slice);
  }

  #becomeSlice(event: ClusterEvent, slice: discovery.EndpointSlice): Change[] {
    return this.#become(event, () => {
      const find = (namespace: string, pod: string, address: string): Workload | undefined =>
        this.#workloads.get(pod === "" ? this.#podAt(address) : `${namespace}/${pod}`);
      const set = convertEndpointSlice(slice, find, this.#options.clusterDomain);
      return set === undefined ? [] : [this.#own(this.#placed(set))];
    });
  }

  /** Of several pods at an address, always the same one. */
  #podAt(address: string): string {
    return [...this.#podsByAddress.of(address)].toSorted(compareText)[0] ?? "";
  }

  /** Endpoints with their cluster and network; workloads know theirs already. */
  #placed(set: EndpointSet): EndpointSet {
    const { remote } = this.#options;
    const cluster = remote === undefined ? {} : { cluster: remote };
    const endpoints = set.endpoints.map((endpoint) => ({
      ...endpoint,
      ...cluster,
      network:
        endpoint.network === ""
          ? this.networkOf(endpoint.address, endpoint.labels)
          : endpoint.network,
    }));
    return { ...set, endpoints };
  }

  /** Keys of a further cluster differ from those of equal names elsewhere. */
  #own<T extends ModelObject & { readonly source: ObjectKey }>(object: T): T {
    const { remote } = this.#options;
    if (remote === undefined) return object;
    const key = nameIn(remote, object.key);
    const source = nameIn(remote, object.source);
    return {
      ...object,
      key,
      source,
      ...(object.kind === "EndpointSet" ? {} : { cluster: remote }),
    };
  }

  #become({ type, object }: ClusterEvent, make: () => readonly ModelObject[]): Change[] {
    const { kind, metadata } = object;
    const source = `${kind}/${metadata.namespace ?? ""}/${metadata.name}`;
    return this.#made.become(source, type === "delete" ? [] : make());
  }
}

/** A name or key of a further cluster; `@` is in no name of Kubernetes. */
function nameIn<T extends string>(cluster: string | undefined, name: T): T {
  return (cluster === undefined ? name : `${name}@${cluster}`) as T;
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
