/**
 * Classes of proxies. A scope holds *everything* of a proxy that translation may read; so two
 * proxies with an equal scope key get the same bytes, and a connecting proxy whose scopes exist
 * costs nothing to configure.
 */

import { cached } from "./cached.ts";
import { type PatchRef, patchesFor } from "./envoy-filters.ts";
import { type EdgeSettings, joinEdges } from "./edge.ts";
import { matchesAll } from "./labels.ts";
import type { MeshConfig } from "./mesh-config.ts";
import type { Hostname, ObjectKey } from "./name.ts";
import {
  type Gateway,
  type Labels,
  type Locality,
  NO_LOCALITY,
  type Service,
  type ServicePort,
  type Sidecar,
  compareText,
} from "./object.ts";
import { lookup } from "./object-index.ts";
import { type PlaceKind, failoverLabelsOfMesh, placesReadByMesh } from "./place.ts";
import type { Proxy, ProxyType } from "./proxy.ts";
import { type PushContext, allGateways } from "./push-context.ts";
import { clusterOf, isIn, isToldAllocated, networkOf, workloadOf } from "./vantage.ts";
import { collectorsFor, telemetriesFor, tracedName } from "./telemetries.ts";

export type ScopeKey = string & { readonly brand: "ScopeKey" };

/** What a proxy may call: clusters, endpoints and, for sidecars, outbound listeners and routes. */
export interface OutboundScope {
  readonly kind: "outbound";
  readonly key: ScopeKey;
  readonly proxyType: ProxyType;
  readonly namespace: string;
  /** The Sidecar object that narrows what it sees. */
  readonly sidecar?: ObjectKey;
  /** Only labels that some rule looks at. */
  readonly labels: Labels;
  /** Empty also where no network has a gateway. */
  readonly network: string;
  /** The further cluster that it is in; empty for the one that configuration comes from. */
  readonly cluster: string;
  /** Its clients know hosts of ServiceEntries by allocated addresses. */
  readonly isToldAllocated?: true;
  /** It is a gateway whose server names are those of clusters (AUTO_PASSTHROUGH). */
  readonly passesBetweenNetworks?: true;
  /** Only where some rule or service looks at it; none otherwise. */
  readonly locality: Locality;
  /** The machine, only where some rule or service looks at it; empty otherwise. */
  readonly node: string;
  /** It has no certificate of the mesh, so plain text is all that it speaks with its peers. */
  readonly isPlain?: true;
  /** Clusters go to those of its proxies that ask for them. */
  readonly isOnDemand?: true;
  /** Patches of the configuration that is made for this scope; absent where there are none. */
  readonly patches?: readonly PatchRef[];
  /** Telemetry objects that are about the proxy, the widest first; absent where there are none. */
  readonly telemetry?: readonly ObjectKey[];
  /** Names of the mesh's providers whose service it can call; absent where none needs one. */
  readonly collectors?: readonly string[];
  /** What the proxy calls itself towards collectors that need to be told; else absent. */
  readonly tracedAs?: string;
}

/** A port of the workload that some service leads to. */
export interface ServiceTarget {
  readonly service: ObjectKey;
  readonly source: ObjectKey;
  readonly host: Hostname;
  readonly port: ServicePort;
  /** Where the workload listens. */
  readonly targetPort: number;
}

/**
 * What a proxy does for its own workload: inbound listeners, or a gateway's listeners and routes.
 */
export interface WorkloadScope {
  readonly kind: "workload";
  readonly key: ScopeKey;
  readonly proxyType: ProxyType;
  readonly namespace: string;
  /** As in OutboundScope. */
  readonly cluster: string;
  readonly sidecar?: ObjectKey;
  /** Gateways that select a router, oldest first. */
  readonly gateways: readonly ObjectKey[];
  readonly targets: readonly ServiceTarget[];
  /** Only labels that some rule looks at. */
  readonly labels: Labels;
  /** Filled only where a Sidecar's ingress depends on the instance's own address. */
  readonly addresses: readonly string[];
  /** Of a gateway that isn't reached directly, or has other settings of its own. */
  readonly edge?: EdgeSettings;
  /** As in OutboundScope. */
  readonly isPlain?: true;
  readonly patches?: readonly PatchRef[];
  readonly telemetry?: readonly ObjectKey[];
  readonly collectors?: readonly string[];
  readonly tracedAs?: string;
}

export type ProxyScope = OutboundScope | WorkloadScope;

/** The two scopes of a proxy in this world. */
export function scopesOf(
  context: PushContext,
  proxy: Proxy,
): { outbound: OutboundScope; workload: WorkloadScope } {
  const sidecar = proxy.type === "sidecar" ? sidecarOf(context, proxy) : undefined;
  const labels = mentionedLabels(context, proxy.labels);
  const edge =
    proxy.type === "router" ? joinEdges(context.mesh.gatewayTopology ?? {}, proxy.edge) : undefined;
  const called = observation(context, proxy, "outbound", sidecar);
  const served = observation(context, proxy, "workload", sidecar);
  // Patches may name clusters where no proxy asks for them.
  const isPatched = called.patches !== undefined || served.patches !== undefined;
  const outbound: Omit<OutboundScope, "key"> = {
    kind: "outbound",
    proxyType: proxy.type,
    namespace: proxy.namespace,
    ...(sidecar === undefined ? {} : { sidecar: sidecar.key }),
    labels,
    network: networkOf(context, proxy),
    cluster: clusterOf(context, proxy),
    ...(isToldAllocated(context, proxy) ? { isToldAllocated: true as const } : {}),
    ...(passesBetweenNetworks(context, proxy) ? { passesBetweenNetworks: true as const } : {}),
    locality: readsPlace(context, "locality") ? localityOf(context, proxy) : NO_LOCALITY,
    node: readsPlace(context, "node") ? nodeOf(context, proxy) : "",
    ...(proxy.hasCertificate ? {} : { isPlain: true as const }),
    ...(asksForClusters(proxy) && !isPatched ? { isOnDemand: true as const } : {}),
    ...called,
  };
  const workload: Omit<WorkloadScope, "key"> = {
    kind: "workload",
    proxyType: proxy.type,
    namespace: proxy.namespace,
    cluster: clusterOf(context, proxy),
    ...(sidecar === undefined ? {} : { sidecar: sidecar.key }),
    gateways: proxy.type === "router" ? gatewaysOf(context, proxy) : [],
    targets: targetsOf(context, proxy),
    labels: proxy.type === "router" ? labels : {},
    addresses: sidecar !== undefined && needsAddress(sidecar) ? proxy.addresses : [],
    ...(proxy.hasCertificate ? {} : { isPlain: true as const }),
    ...(edge === undefined ? {} : { edge }),
    ...served,
  };
  return {
    outbound: { ...outbound, key: keyOf(outbound) },
    workload: { ...workload, key: keyOf(workload) },
  };
}

/** Gateways' routes are whole; only redirected traffic may turn out to go nowhere. */
function asksForClusters(proxy: Proxy): boolean {
  return proxy.isOnDemand === true && proxy.type === "sidecar";
}

/** The mesh as proxies of the scope take part in it. */
export function meshOf(context: PushContext, scope: ProxyScope): MeshConfig {
  return scope.isPlain === undefined ? context.mesh : plainMesh(context.mesh);
}

const plainMesh = cached((mesh: MeshConfig): MeshConfig => ({ ...mesh, peerTls: "DISABLE" }));

/** Objects that few meshes have: without them nothing of this is in a scope. */
function observation(
  context: PushContext,
  proxy: Proxy,
  scope: ProxyScope["kind"],
  sidecar: Sidecar | undefined,
): Pick<ProxyScope, "patches" | "telemetry" | "collectors" | "tracedAs"> {
  const patches = patchesFor(context, proxy, scope);
  const telemetry = telemetriesFor(context, proxy);
  const collectors = collectorsFor(context, proxy, telemetry, sidecar);
  const tracedAs = tracedName(context, proxy, telemetry);
  return {
    ...(patches === undefined ? {} : { patches }),
    ...(telemetry === undefined ? {} : { telemetry }),
    ...(collectors === undefined ? {} : { collectors }),
    ...(tracedAs === undefined ? {} : { tracedAs }),
  };
}

/** Fields are put in a fixed order above, so equal content gives equal text. */
function keyOf(content: object): ScopeKey {
  return JSON.stringify(content) as ScopeKey;
}

/**
 * The Sidecar of a proxy: the oldest of its namespace that selects it, else the oldest there
 * without a selector, else that of the root namespace (Istio, "Sidecar").
 */
function sidecarOf(context: PushContext, proxy: Proxy): Sidecar | undefined {
  const own = lookup(context.indexes.sidecarsByNamespace, proxy.namespace);
  const selects = (one: Sidecar): Labels => one.spec.workloadSelector?.labels ?? {};
  const isGeneral = (one: Sidecar): boolean => Object.keys(selects(one)).length === 0;
  return (
    own.find((one) => !isGeneral(one) && matchesAll(selects(one), proxy.labels)) ??
    own.find(isGeneral) ??
    lookup(context.indexes.sidecarsByNamespace, context.mesh.rootNamespace).find(isGeneral)
  );
}

/**
 * Chains of an ingress without a bind are named by the instance's address, and targets may be it.
 */
function needsAddress(sidecar: Sidecar): boolean {
  return (sidecar.spec.ingress ?? []).some(
    (listener) =>
      (listener.bind ?? "") === "" ||
      ["0.0.0.0:", "[::]:"].some((prefix) => (listener.defaultEndpoint ?? "").startsWith(prefix)),
  );
}

function gatewaysOf(context: PushContext, proxy: Proxy): ObjectKey[] {
  return gatewayObjects(context, proxy).map((gateway) => gateway.key);
}

function gatewayObjects(context: PushContext, proxy: Proxy): readonly Gateway[] {
  return allGateways(context).filter((gateway) =>
    matchesAll(gateway.spec.selector ?? {}, proxy.labels),
  );
}

function passesBetweenNetworks(context: PushContext, proxy: Proxy): boolean {
  if (proxy.type !== "router") return false;
  return gatewayObjects(context, proxy).some((gateway) =>
    gateway.spec.servers?.some((server) => server.tls?.mode === "AUTO_PASSTHROUGH"),
  );
}

/** A ServiceEntry is everywhere. */
function isHere(service: Service, cluster: string): boolean {
  return service.source.startsWith("ServiceEntry/") || isIn(cluster, service);
}

/** Proxies of different places are of one class as long as nothing depends on it. */
function readsPlace(context: PushContext, kind: PlaceKind): boolean {
  return (
    context.indexes.readersOfPlace.lists.has(kind) || placesReadByMesh(context.mesh).includes(kind)
  );
}

/** A proxy without an agent doesn't know its place: its pod's node, or its WorkloadEntry, does. */
function localityOf(context: PushContext, proxy: Proxy): Locality {
  const { region, zone } = proxy.locality;
  if (region !== "" || zone !== "") return proxy.locality;
  return workloadOf(context, proxy)?.locality ?? NO_LOCALITY;
}

/** What the proxy says itself, else what is known of its workload. */
function nodeOf(context: PushContext, proxy: Proxy): string {
  return proxy.node === "" ? (workloadOf(context, proxy)?.node ?? "") : proxy.node;
}

function mentionedLabels(context: PushContext, labels: Labels): Labels {
  const ofMesh = failoverLabelsOfMesh(context.mesh);
  return Object.fromEntries(
    Object.entries(labels).filter(
      ([name]) => context.indexes.rulesByLabelName.lists.has(name) || ofMesh.includes(name),
    ),
  );
}

/** Services that lead to the proxy's workload: by endpoint address, and by selector. */
function targetsOf(context: PushContext, proxy: Proxy): ServiceTarget[] {
  const cluster = clusterOf(context, proxy);
  const targets = new Map<string, ServiceTarget>();
  const add = (service: Service, port: ServicePort, targetPort: number): void => {
    if (port.protocol === "UDP") return;
    targets.set(`${service.key}:${port.number}:${targetPort}`, {
      service: service.key,
      source: service.source,
      host: service.host,
      port,
      targetPort,
    });
  };
  for (const address of proxy.addresses) {
    for (const set of lookup(context.indexes.endpointsByAddress, address)) {
      const endpoints = set.endpoints.filter(
        (endpoint) => endpoint.address === address && isIn(cluster, endpoint),
      );
      for (const service of lookup(context.indexes.servicesByHost, set.host)) {
        if (service.namespace !== set.namespace || service.resolution === "dns") continue;
        if (!isHere(service, cluster)) continue;
        for (const port of service.ports) {
          for (const endpoint of endpoints) {
            const target = Object.hasOwn(endpoint.ports, port.name)
              ? endpoint.ports[port.name]
              : undefined;
            if (target !== undefined) add(service, port, target);
          }
        }
      }
    }
  }
  for (const [service, port, target] of selectedPorts(context, proxy)) add(service, port, target);
  return [...targets.values()].toSorted(
    (left, right) =>
      compareText(left.host, right.host) ||
      left.port.number - right.port.number ||
      left.targetPort - right.targetPort ||
      compareText(left.service, right.service),
  );
}

/** Ports of services whose selector matches, before the first EndpointSlice names the workload. */
function* selectedPorts(
  context: PushContext,
  proxy: Proxy,
): Generator<[Service, ServicePort, number]> {
  const cluster = clusterOf(context, proxy);
  const workload = workloadOf(context, proxy);
  for (const service of lookup(context.indexes.servicesByNamespace, proxy.namespace)) {
    if (service.selector === undefined || Object.keys(service.selector).length === 0) continue;
    if (!isHere(service, cluster)) continue;
    if (!matchesAll(service.selector, workload?.labels ?? proxy.labels)) continue;
    for (const port of service.ports) {
      const target =
        typeof port.targetPort === "number"
          ? port.targetPort
          : workload !== undefined && Object.hasOwn(workload.ports, port.targetPort)
            ? workload.ports[port.targetPort]
            : undefined;
      if (target !== undefined) yield [service, port, target];
    }
  }
}
