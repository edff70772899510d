/**
 * Objects of platforms in, changes of the model out. It keeps what has to be joined (pods and nodes
 * with EndpointSlices, workloads with those who select them) and, since settings decide about all
 * of them, the objects themselves; feeding it the same objects in any order leads to the same model.
 */

import type { KubeObject } from "#cluster/api/meta.ts";
import type * as core from "#cluster/api/generated/core-v1.ts";
import type { Resource } from "#cluster/api/resources.ts";
import type { Change } from "#pilot/model/change.ts";
import { DEFAULT_MESH, type MeshConfig } from "#pilot/model/mesh-config.ts";
import { type ObjectKey, objectKey } from "#pilot/model/name.ts";
import type { ModelObject, Workload } from "#pilot/model/object.ts";
import type { Problem } from "#pilot/model/problem.ts";
import { convertConfigObject, isConfigObject } from "./config-object.ts";
import { convertSecret, convertTrustMap } from "./credential.ts";
import { HostClaims } from "./host-claims.ts";
import { KubernetesCluster } from "./kubernetes-cluster.ts";
import { convertNamespace, convertService } from "./kubernetes.ts";
import { MadeObjects } from "./made-objects.ts";
import { parseMeshConfig } from "./mesh-config.ts";
import { NamespaceFilter, replayOrder } from "./namespace-filter.ts";
import { type MeshNetworks, NO_NETWORKS, parseMeshNetworks, writtenGateways } from "./networks.ts";
import { SelectedEntries } from "./selected-entries.ts";
import {
  allocatedAddressesOf,
  convertServiceEntry,
  problemsOfServiceEntry,
} from "./service-entry.ts";
import { convertWorkloadEntry, healthConditionOf } from "./workload-entry.ts";
import { problemsOfUnusedFields } from "./unused-fields.ts";

/** An object was seen, or is gone (then only its identity counts). */
export interface PlatformEvent {
  readonly type: "upsert" | "delete";
  readonly object: KubeObject;
  /** The cluster that it is in; absent for the one that configuration comes from. */
  readonly cluster?: string;
}

/** Custom resources that a registry wants to hear of. */
export const WATCHED_CONFIG: readonly Resource[] = (
  [
    ["networking.istio.io", "v1", "VirtualService", "virtualservices"],
    ["networking.istio.io", "v1", "DestinationRule", "destinationrules"],
    ["networking.istio.io", "v1", "Gateway", "gateways"],
    ["networking.istio.io", "v1", "ServiceEntry", "serviceentries"],
    ["networking.istio.io", "v1", "Sidecar", "sidecars"],
    ["networking.istio.io", "v1", "WorkloadEntry", "workloadentries"],
    ["networking.istio.io", "v1", "WorkloadGroup", "workloadgroups"],
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
const NETWORKS_KEY = objectKey("NetworkGateways", "", "mesh");
const MESH_CONFIG_MAP = "istio";

/** Joins and converts all clusters of a mesh. */
export class Registry {
  readonly #base: MeshConfig;
  readonly #clusters = new Map<string, KubernetesCluster>();
  readonly #selected: SelectedEntries;
  readonly #filter = new NamespaceFilter();
  readonly #claims = new HostClaims();
  readonly #made = new MadeObjects();
  readonly #workloadEntries = new Map<ObjectKey, Workload>();
  readonly #problems = new Map<ObjectKey, readonly Problem[]>();
  #networks: MeshNetworks = NO_NETWORKS;

  constructor(options: { readonly mesh?: MeshConfig } = {}) {
    this.#base = options.mesh ?? DEFAULT_MESH;
    this.#selected = new SelectedEntries((address, labels) =>
      this.#cluster(undefined).networkOf(address, labels),
    );
  }

  /** The settings that hold before any ConfigMap is seen; feed them first. */
  initialChanges(): Change[] {
    return [{ type: "upsert", object: { kind: "MeshConfig", key: MESH_KEY, mesh: this.#base } }];
  }

  /** Problems of objects that could not be understood wholly. */
  problems(): readonly Problem[] {
    return [...[...this.#problems.values()].flat(), ...this.#claims.problems()];
  }

  /** What an event means for the model; nothing for kinds that the mesh doesn't read. */
  handle(event: PlatformEvent): Change[] {
    const { object, cluster } = event;
    if (object.kind === "ConfigMap") return cluster === undefined ? this.#configMap(event) : [];
    if (object.kind === "Namespace" && object.apiVersion === "v1") return this.#namespace(event);
    return this.#filter.admits(event) ? this.#admitted(event) : [];
  }

  #admitted(event: PlatformEvent): Change[] {
    const { object, cluster } = event;
    const here = this.#cluster(cluster);
    switch (`${object.apiVersion}/${object.kind}`) {
      case "v1/Service":
        return [...here.service(event), ...this.#selectedByService(event)];
      case "v1/Node":
        return here.node(event);
      case "v1/Pod":
        return here.pod(event);
      case "discovery.k8s.io/v1/EndpointSlice":
        return here.slice(event);
      case "v1/Secret":
        return cluster === undefined ? this.#secret(event) : [];
      default:
        return cluster === undefined && isConfigObject(object) ? this.#config(event) : [];
    }
  }

  #cluster(remote: string | undefined): KubernetesCluster {
    const { clusterId, clusterDomain, rootNamespace } = this.#base;
    const known = this.#clusters.get(remote ?? "");
    if (known !== undefined) return known;
    const cluster = new KubernetesCluster({
      remote,
      clusterId: remote ?? clusterId,
      clusterDomain,
      rootNamespace,
      networks: () => this.#networks,
      onWorkload: (before, after) => this.#selected.workload(before, after),
    });
    this.#clusters.set(remote ?? "", cluster);
    return cluster;
  }

  /** WorkloadEntries count in the cluster that they are in, as Services that select them do. */
  #selectedByService(event: PlatformEvent): Change[] {
    if (event.cluster !== undefined) return [];
    const service = convertService(event.object as core.Service, this.#base.clusterDomain);
    const { key, namespace } = service;
    const now = event.type === "delete" ? undefined : service;
    return this.#selected.service(key, now, namespace);
  }

  #config(event: PlatformEvent): Change[] {
    const { kind, metadata } = event.object;
    const namespace = metadata.namespace ?? "default";
    const key = objectKey(kind ?? "", namespace, metadata.name);
    this.#problems.delete(key);
    const made: ModelObject[] = [];
    let workload: Workload | undefined;
    const result = event.type === "delete" ? undefined : convertConfigObject(event.object);
    if (result?.ok === false) this.#problems.set(key, result.problems);
    if (result?.ok === true) {
      const config = result.object;
      made.push(config);
      const unused = problemsOfUnusedFields(config);
      if (unused.length > 0) this.#problems.set(key, unused);
      if (config.kind === "WorkloadGroup") {
        this.#problems.set(key, [notRegistering(key), ...unused]);
      }
      if (config.kind === "ServiceEntry") {
        const problems = problemsOfServiceEntry(config);
        if (problems.length > 0) this.#problems.set(key, [...problems, ...unused]);
        const services = convertServiceEntry(config, allocatedAddressesOf(event.object["status"]));
        this.#claims.note(key, services);
        made.push(...services);
        made.push(...this.#selected.entry(key, config, namespace));
      } else if (config.kind === "WorkloadEntry") {
        const condition = healthConditionOf(event.object["status"]);
        workload = convertWorkloadEntry(config, condition, (address, labels) =>
          this.#cluster(undefined).networkOf(address, labels),
        );
        made.push(workload);
      }
    }
    if (kind === "ServiceEntry" && made.length === 0) {
      this.#claims.note(key, []);
      this.#selected.entry(key, undefined, namespace);
    }
    const changes = this.#made.become(key, made);
    return kind === "WorkloadEntry" ? [...changes, ...this.#entered(key, workload)] : changes;
  }

  #entered(key: ObjectKey, after: Workload | undefined): Change[] {
    const before = this.#workloadEntries.get(key);
    if (after === undefined) this.#workloadEntries.delete(key);
    else this.#workloadEntries.set(key, after);
    return this.#selected.workload(before, after);
  }

  #namespace(event: PlatformEvent): Change[] {
    const { cluster } = event;
    const networkChanged = this.#cluster(cluster).namespace(event);
    const changes =
      cluster === undefined
        ? this.#made.become(
            `Namespace/${event.object.metadata.name}`,
            event.type === "delete" ? [] : [convertNamespace(event.object)],
          )
        : [];
    return [
      ...changes,
      ...this.#filter.namespace(event).flatMap((one) => this.#admitted(one)),
      ...(networkChanged ? this.#again(cluster) : []),
    ];
  }

  #secret(event: PlatformEvent): Change[] {
    const { name, namespace } = event.object.metadata;
    const made = event.type === "delete" ? undefined : convertSecret(event.object);
    return this.#made.become(`Secret/${namespace}/${name}`, made === undefined ? [] : [made]);
  }

  #configMap(event: PlatformEvent): Change[] {
    const map = event.object as core.ConfigMap;
    const { name, namespace } = map.metadata;
    const trusted = event.type === "delete" ? undefined : convertTrustMap(map);
    const id = `ConfigMap/${namespace}/${name}`;
    return [
      ...this.#made.become(id, trusted === undefined ? [] : [trusted]),
      ...this.#settings(event, map),
    ];
  }

  #settings(event: PlatformEvent, map: core.ConfigMap): Change[] {
    const { name, namespace } = map.metadata;
    if (name !== MESH_CONFIG_MAP || namespace !== this.#base.rootNamespace) return [];
    const key = objectKey("ConfigMap", namespace, name);
    const data = event.type === "delete" ? {} : (map.data ?? {});
    const { mesh, problems } = parseMeshConfig(data["mesh"] ?? "{}", this.#base);
    const parsed = parseMeshNetworks(data["meshNetworks"] ?? "");
    const all = [
      ...problems.map((one) => ({ ...one, path: `data.mesh.${one.path}` })),
      ...parsed.problems.map(({ path, message }) => ({
        path: `data.meshNetworks${path}`,
        message,
      })),
    ];
    this.#problems.set(
      key,
      all.map((one) => ({
        severity: "error",
        ...one,
        object: key,
        reason: "severity" in one ? "UnusedSetting" : "InvalidSetting",
      })),
    );
    return [
      { type: "upsert", object: { kind: "MeshConfig", key: MESH_KEY, mesh } },
      ...this.#changeNetworks(parsed.networks, key),
      ...this.#filter.selectors(mesh.discoverySelectors).flatMap((one) => this.#admitted(one)),
    ];
  }

  #changeNetworks(networks: MeshNetworks, source: ObjectKey): Change[] {
    if (JSON.stringify(networks) === JSON.stringify(this.#networks)) return [];
    this.#networks = networks;
    const gateways = writtenGateways(networks);
    const made: ModelObject[] =
      gateways.length === 0
        ? []
        : [{ kind: "NetworkGateways", key: NETWORKS_KEY, source, gateways }];
    return [
      ...this.#made.become("networks", made),
      ...[...this.#clusters.keys()].flatMap((id) => this.#again(id === "" ? undefined : id)),
    ];
  }

  /** Everything of a cluster once more: something that all of it depends on has changed. */
  #again(cluster: string | undefined): Change[] {
    return replayOrder(this.#filter.seen(cluster)).flatMap((event) => this.#admitted(event));
  }
}

/** Registration by an agent needs identities that ADS doesn't check yet. */
function notRegistering(key: ObjectKey): Problem {
  return {
    object: key,
    path: "spec.template",
    severity: "warning",
    reason: "NotSupportedYet",
    message: "workloads don't register by themselves yet: write a WorkloadEntry for each of them",
  };
}
