/** Pages about the world that is served, in Istio's shapes (istio/istio pilot/pkg/model). */

import { json } from "./page.ts";
import type { DebugSources, PageHandler } from "./page.ts";
import type {
  Endpoint,
  EndpointSet,
  ModelObject,
  Resolution,
  Service,
} from "#pilot/model/object.ts";
import type { Problem } from "#pilot/model/problem.ts";
import { allServices } from "#pilot/model/push-context.ts";
import type { PushContext } from "#pilot/model/push-context.ts";

export const WORLD_PAGES: Readonly<Record<string, PageHandler>> = {
  registryz: {
    help: "Services",
    show: ({ pusher }) => json(allServices(pusher.context).map(registryEntry)),
  },
  endpointz: {
    help: "Endpoints; the older name of endpointShardz",
    show: ({ pusher }) => json(endpointShards(pusher.context)),
  },
  endpointShardz: {
    help: "Endpoints by host, namespace of the service, and where they come from",
    show: ({ pusher }) => json(endpointShards(pusher.context)),
  },
  configz: {
    help: "Configuration objects",
    show: ({ pusher }) => json(configObjects(pusher.context)),
  },
  resourcesz: {
    help: "Kinds of configuration objects",
    show: ({ pusher }) => json(configKinds(pusher.context)),
  },
  statusz: {
    help: "What objects' statuses say: on how many proxies they are live, and what is ignored",
    show: ({ statuses }) =>
      json(
        Object.fromEntries(
          statuses().map(({ key, generation, status }) => [key, { generation, ...status }]),
        ),
      ),
  },
  push_status: {
    help: "Problems of objects, and what proxies refuse, by reason and object",
    show: (sources) => json(pushStatus(sources)),
  },
  mesh: {
    help: "Settings of the mesh, as they are in force",
    show: ({ pusher }) => json(pusher.context.mesh),
  },
  clusterz: {
    help: "Clusters that endpoints come from",
    show: ({ pusher }) => json(clusters(pusher.context)),
  },
  networkz: {
    help: "Gateways into other networks",
    show: ({ pusher }) =>
      json(
        ofKind(pusher.context, "NetworkGateways")
          .flatMap(({ gateways }) => gateways)
          .map(({ network, cluster, address, port }) => ({
            Network: network,
            Cluster: cluster ?? "",
            Addr: address,
            Port: port,
          })),
      ),
  },
};

/** All problems that are known, each once. */
export function allProblems({ pusher, objectProblems }: DebugSources): Problem[] {
  const byText = new Map<string, Problem>();
  for (const problem of [...objectProblems(), ...(pusher.problems() as Problem[])]) {
    const { object, path, reason, message } = problem;
    byText.set(`${object} ${path} ${reason} ${message}`, problem);
  }
  return [...byText.values()];
}

/** Sorted by key. */
export function ofKind<K extends ModelObject["kind"]>(
  context: PushContext,
  kind: K,
): Extract<ModelObject, { kind: K }>[] {
  return [...context.objects.values()]
    .filter((object): object is Extract<ModelObject, { kind: K }> => object.kind === kind)
    .toSorted((left, right) => (left.key < right.key ? -1 : 1));
}

/** Istio's numbers. */
const RESOLUTIONS: Readonly<Record<Resolution, number>> = {
  discovery: 0,
  dns: 1,
  original: 2,
  "dns-first": 3,
  alias: 4,
  "dns-on-request": 5,
};

function registryOf(source: string): string {
  return source.startsWith("Service/") ? "Kubernetes" : "External";
}

function registryEntry(service: Service): object {
  const cluster = service.cluster ?? "Kubernetes";
  return {
    Attributes: {
      ServiceRegistry: registryOf(service.source),
      Name: service.name,
      Namespace: service.namespace,
      Labels: service.labels,
      ExportTo: service.exportTo,
      LabelSelectors: service.selector,
    },
    ports: service.ports.map(({ name, number, protocol }) => ({ name, port: number, protocol })),
    creationTime: service.creationTimestamp,
    hostname: service.host,
    clusterVIPs: { Addresses: { [cluster]: service.addresses } },
    defaultAddress: service.addresses[0] ?? "0.0.0.0",
    Resolution: RESOLUTIONS[service.resolution],
    MeshExternal: service.external,
  };
}

function endpointShards(context: PushContext): object {
  const byHost: Record<string, Record<string, Shards>> = {};
  for (const set of ofKind(context, "EndpointSet")) {
    const byNamespace = (byHost[set.host] ??= {});
    const shards = (byNamespace[set.namespace] ??= { Shards: {}, ServiceAccounts: {} });
    const registry = registryOf(set.source) === "Kubernetes" ? "Kubernetes" : "External";
    for (const endpoint of set.endpoints) {
      const shard = `${registry}/${endpoint.cluster ?? "Kubernetes"}`;
      (shards.Shards[shard] ??= []).push(...endpointEntries(endpoint, set));
      if (endpoint.serviceAccount !== "") shards.ServiceAccounts[endpoint.serviceAccount] = {};
    }
  }
  return byHost;
}

interface Shards {
  Shards: Record<string, object[]>;
  ServiceAccounts: Record<string, object>;
}

/** One for each port, as Istio counts endpoints. */
function endpointEntries(endpoint: Endpoint, { source }: EndpointSet): object[] {
  const { region, zone, subZone } = endpoint.locality;
  return Object.entries(endpoint.ports).map(([name, port]) => ({
    Labels: endpoint.labels,
    Addresses: [endpoint.address],
    ServicePortName: name,
    ServiceAccount: endpoint.serviceAccount,
    Network: endpoint.network,
    Locality: {
      Label: [region, zone, subZone].filter((part) => part !== "").join("/"),
      ClusterID: endpoint.cluster ?? "",
    },
    EndpointPort: port,
    LbWeight: endpoint.weight,
    TLSMode: endpoint.meshTls ? "istio" : "disabled",
    Namespace: endpoint.namespace,
    WorkloadName: endpoint.workload,
    HealthStatus: endpoint.health,
    NodeName: endpoint.node ?? "",
    Source: source,
  }));
}

function configObjects(context: PushContext): object[] {
  return [...context.objects.values()]
    .flatMap((object) => ("spec" in object ? [object] : []))
    .toSorted((left, right) => (left.key < right.key ? -1 : 1))
    .map(({ kind, group, name, namespace, labels, annotations, spec, ...rest }) => ({
      kind,
      apiVersion: `${group}/v1`,
      metadata: {
        name,
        namespace,
        labels,
        annotations,
        generation: rest.generation,
        creationTimestamp: rest.creationTimestamp,
      },
      spec,
    }));
}

function configKinds(context: PushContext): object[] {
  const kinds = new Map<string, object>();
  for (const object of context.objects.values()) {
    if (!("spec" in object)) continue;
    const { group, kind } = object;
    kinds.set(`${group} ${kind}`, { group, version: "v1", kind });
  }
  return [...kinds].toSorted(([left], [right]) => (left < right ? -1 : 1)).map(([, kind]) => kind);
}

function clusters(context: PushContext): object[] {
  const names = new Set<string>();
  for (const { cluster } of ofKind(context, "Service")) names.add(cluster ?? "Kubernetes");
  return [...names].toSorted().map((id) => ({ id, secretName: "", syncStatus: "synced" }));
}

/** Reason → object → all that is to be said; rejections of proxies stand under `NACK`. */
function pushStatus(sources: DebugSources): Record<string, Record<string, object[]>> {
  const status = new Map<string, Map<string, object[]>>();
  const note = (reason: string, object: string, what: object): void => {
    const objects = status.get(reason) ?? new Map<string, object[]>();
    status.set(reason, objects);
    const told = objects.get(object);
    if (told === undefined) objects.set(object, [what]);
    else told.push(what);
  };
  for (const { object, path, reason, message } of allProblems(sources)) {
    note(reason, object, { path, message });
  }
  for (const { proxyId, type, message, resources } of sources.rejections()) {
    const objects = new Set(resources.flatMap(({ origins }) => origins.map((one) => one.object)));
    for (const object of [...objects].slice(0, 100)) {
      note("NACK", object, { proxyId, type, message });
    }
  }
  return Object.fromEntries(
    [...status].map(([reason, objects]) => [reason, Object.fromEntries(objects)]),
  );
}
