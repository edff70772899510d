/** A WorkloadEntry, by itself or among the endpoints of a ServiceEntry, as a workload. */

import { isIP } from "node:net";
import type { WorkloadEntry as WorkloadEntrySpec } from "#crds/types/networking-v1.ts";
import { objectKey } from "#pilot/model/name.ts";
import {
  type Health,
  type Labels,
  type Locality,
  NO_LOCALITY,
  type Workload,
  type WorkloadEntry,
} from "#pilot/model/object.ts";

const TLS_MODE = "security.istio.io/tlsMode";
const LOCALITY = "istio-locality";
const HEALTH_CHECKED = "proxy.istio.io/health-checks-enabled";
const WORKLOAD_NAME = "service.istio.io/workload-name";
const GROUP = "istio.io/autoRegistrationGroup";

/** What the health condition of an object's status says, if there is one. */
export type HealthCondition = { readonly healthy: boolean } | undefined;

/** The workload behind an entry; `network` finds the network of an address without one of its own. */
export function convertWorkloadEntry(
  entry: WorkloadEntry,
  condition: HealthCondition,
  network: NetworkOf,
): Workload {
  const labels = { ...entry.spec.labels, ...entry.labels };
  const { address = "" } = entry.spec;
  return {
    kind: "Workload",
    key: objectKey("Workload", entry.namespace, `entry/${entry.name}`),
    source: entry.key,
    name: entry.labels[WORKLOAD_NAME] ?? entry.annotations[GROUP] ?? entry.name,
    namespace: entry.namespace,
    labels,
    addresses: address === "" ? [] : [address],
    serviceAccount: entry.spec.serviceAccount ?? "",
    locality: localityOfEntry(entry.spec.locality, labels),
    network: networkOfEntry(entry.spec, labels, network),
    ports: entry.spec.ports ?? {},
    meshTls: speaksMeshTls(entry.spec, labels),
    weight: weightOf(entry.spec),
    health: healthOf(entry, condition),
  };
}

/** The network of an address, by the settings of networks and clusters; empty for none. */
export type NetworkOf = (address: string, labels: Labels) => string;

export function networkOfEntry(
  spec: WorkloadEntrySpec,
  labels: Labels,
  network: NetworkOf,
): string {
  const own = spec.network ?? "";
  return own === "" ? network(spec.address ?? "", labels) : own;
}

/** By the label; without one, a workload with an identity is taken to have a proxy. */
export function speaksMeshTls(spec: WorkloadEntrySpec, labels: Labels): boolean {
  const mode = labels[TLS_MODE];
  return mode === undefined ? (spec.serviceAccount ?? "") !== "" : mode === "istio";
}

export function weightOf(spec: WorkloadEntrySpec): number {
  return spec.weight === undefined || spec.weight === 0 ? 1 : spec.weight;
}

/** `region/zone/subzone`, else the label with dots. */
export function localityOfEntry(text: string | undefined, labels: Labels): Locality {
  const written = text ?? "";
  const label = labels[LOCALITY] ?? "";
  if (written === "" && label === "") return NO_LOCALITY;
  const [region = "", zone = "", subZone = ""] =
    written === "" ? label.split(".") : written.split("/");
  return { region, zone, subZone };
}

/** An entry whose health is checked isn't healthy before somebody has found it so. */
function healthOf(entry: WorkloadEntry, condition: HealthCondition): Health {
  const checked = entry.annotations[HEALTH_CHECKED];
  if (checked !== "true" && checked !== "1") return "healthy";
  return condition?.healthy === true ? "healthy" : "unhealthy";
}

/** Whether DNS isn't needed to find it; Unix sockets are only for ServiceEntries' own endpoints. */
export function hasPlainAddress(workload: Workload): boolean {
  return workload.addresses.every((address) => isIP(address) !== 0);
}

/** The condition `Healthy` of a status, which is whatever somebody has written there. */
export function healthConditionOf(status: unknown): HealthCondition {
  if (typeof status !== "object" || status === null || !("conditions" in status)) return undefined;
  const { conditions } = status;
  if (!Array.isArray(conditions)) return undefined;
  for (const one of conditions as unknown[]) {
    if (typeof one !== "object" || one === null || !("type" in one)) continue;
    if (one.type === "Healthy") return { healthy: "status" in one && one.status === "True" };
  }
  return undefined;
}
