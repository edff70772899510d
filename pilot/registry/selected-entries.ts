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
import { MadeObjects } from "./made-objects.ts";
import { endpointOfWorkload, endpointsOfServiceEntry, resolvesNames } from "./service-entry.ts";
import { type NetworkOf, hasPlainAddress } from "./workload-entry.ts";
import { WorkloadPool } from "./workload-pool.ts";

/** Keeps who selects whom, and makes the endpoints of it. */
export class SelectedEntries {
  readonly #pool = new WorkloadPool<ObjectKey>();
  readonly #entries = new Map<ObjectKey, ServiceEntry>();
  readonly #services = new Map<ObjectKey, Service>();
  readonly #made = new MadeObjects();
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

  /** What WorkloadEntries add to a Service, and take away with it. */
  service(key: ObjectKey, service: Service | undefined, namespace: string): Change[] {
    const labels = service?.selector ?? {};
    const selects = service?.resolution === "discovery" && Object.keys(labels).length > 0;
    const selection = { namespace, labels, admits: isOutsideOfCluster };
    this.#pool.select(key, selects ? selection : undefined, namespace);
    if (service === undefined || !selects) this.#services.delete(key);
    else this.#services.set(key, service);
    return this.#added(key);
  }

  /** What a changed workload means for those who have or had it. */
  workload(before: Workload | undefined, after: Workload | undefined): Change[] {
    return this.#pool.replace(before, after).flatMap((key) => {
      const entry = this.#entries.get(key);
      return entry === undefined
        ? this.#added(key)
        : this.#endpointsOfEntry(entry).map((object): Change => ({ type: "upsert", object }));
    });
  }

  #endpointsOfEntry(entry: ServiceEntry): EndpointSet[] {
    return endpointsOfServiceEntry(entry, this.#pool.selected(entry.key), this.#network);
  }

  /** A set for a Service as long as it has selected something. */
  #added(key: ObjectKey): Change[] {
    const service = this.#services.get(key);
    const workloads = service === undefined ? [] : this.#pool.selected(key);
    if (service === undefined || workloads.length === 0) return this.#made.become(key, []);
    const { namespace, name, host, source } = service;
    return this.#made.become(key, [
      {
        kind: "EndpointSet",
        key: objectKey("EndpointSet", namespace, `workloads/${name}`),
        source,
        host,
        namespace,
        endpoints: workloads.map((workload) => endpointFor(service, workload)),
      },
    ]);
  }
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
