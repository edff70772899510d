/** Workloads that somebody selects by labels: by ServiceEntries, and WorkloadEntries by Services. */

import type { Change } from "#pilot/model/change.ts";
import { type ObjectKey, objectKey } from "#pilot/model/name.ts";
import {
  type Endpoint,
  type EndpointSet,
  type Service,
  type ServiceEntry,
  type Workload,
} from "#pilot/model/object.ts";
import { endpointOfWorkload, endpointsOfServiceEntry, resolvesNames } from "./service-entry.ts";
import { type NetworkOf, hasPlainAddress } from "./workload-entry.ts";
import { WorkloadPool } from "./workload-pool.ts";

/** Keeps who selects whom, and makes the endpoints of it. */
export class SelectedEntries {
  readonly #pool = new WorkloadPool<ObjectKey>();
  readonly #entries = new Map<ObjectKey, ServiceEntry>();
  readonly #services = new Map<ObjectKey, Service>();
  readonly #network: NetworkOf;

  constructor(network: NetworkOf) {
    this.#network = network;
  }

  /** The endpoints of an entry, and of none from now on if it is gone. */
  entry(key: ObjectKey, entry: ServiceEntry | undefined, namespace: string): EndpointSet[] {
    const labels = entry?.spec.workloadSelector?.labels;
    const selects = entry?.spec.workloadSelector !== undefined;
    const byName = entry !== undefined && resolvesNames(entry);
    const admits = (workload: Workload): boolean => byName || hasPlainAddress(workload);
    this.#pool.select(
      key,
      selects ? { namespace, labels: labels ?? {}, admits } : undefined,
      namespace,
    );
    if (entry === undefined || !selects) this.#entries.delete(key);
    else this.#entries.set(key, entry);
    return entry === undefined ? [] : this.#endpointsOfEntry(entry);
  }

  /** The endpoints that WorkloadEntries add to a Service. */
  service(key: ObjectKey, service: Service | undefined, namespace: string): EndpointSet[] {
    const labels = service?.selector ?? {};
    const selects = service?.resolution === "discovery" && Object.keys(labels).length > 0;
    const selection = { namespace, labels, admits: isOutsideOfCluster };
    this.#pool.select(key, selects ? selection : undefined, namespace);
    if (service === undefined || !selects) this.#services.delete(key);
    else this.#services.set(key, service);
    return service === undefined ? [] : this.#endpointsOfService(service);
  }

  /** What a changed workload means for those who have or had it. */
  workload(before: Workload | undefined, after: Workload | undefined): Change[] {
    return this.#pool.replace(before, after).flatMap((key) => {
      const entry = this.#entries.get(key);
      if (entry !== undefined) return this.#endpointsOfEntry(entry).map(upsert);
      const service = this.#services.get(key);
      if (service === undefined) return [];
      const sets = this.#endpointsOfService(service);
      return sets.length > 0 ? sets.map(upsert) : [{ type: "delete", key: setKey(service) }];
    });
  }

  #endpointsOfEntry(entry: ServiceEntry): EndpointSet[] {
    return endpointsOfServiceEntry(entry, this.#pool.selected(entry.key), this.#network);
  }

  #endpointsOfService(service: Service): EndpointSet[] {
    const workloads = this.#pool.selected(service.key);
    if (workloads.length === 0) return [];
    return [
      {
        kind: "EndpointSet",
        key: setKey(service),
        source: service.source,
        host: service.host,
        namespace: service.namespace,
        endpoints: workloads.map((workload) => endpointFor(service, workload)),
      },
    ];
  }
}

function upsert(object: EndpointSet): Change {
  return { type: "upsert", object };
}

function setKey(service: Service): ObjectKey {
  return objectKey("EndpointSet", service.namespace, `workloads/${service.name}`);
}

/** Pods come by EndpointSlices; names and sockets are nothing that a Service can lead to. */
function isOutsideOfCluster(workload: Workload): boolean {
  return workload.source.startsWith("WorkloadEntry/") && hasPlainAddress(workload);
}

/** A named target port is looked up in the entry's; a number may be replaced by the entry's port. */
function endpointFor(service: Service, workload: Workload): Endpoint {
  const own = new Map(Object.entries(workload.ports));
  const ports = service.ports.flatMap(({ name, targetPort }): [string, number][] => {
    const number =
      typeof targetPort === "number" ? (own.get(name) ?? targetPort) : own.get(targetPort);
    return number === undefined ? [] : [[name, number]];
  });
  return {
    ...endpointOfWorkload(workload, workload.addresses[0] ?? ""),
    ports: Object.fromEntries(ports),
  };
}
