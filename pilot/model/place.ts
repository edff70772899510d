/** What of the place of clients and endpoints rules and services look at. */

import type { LocalityLoadBalancerSetting, TrafficPolicy } from "#crds/types/networking-v1.ts";
import type { MeshConfig } from "./mesh-config.ts";
import type { DestinationRule, Labels, Locality, Service } from "./object.ts";

/** Properties of a proxy's place that only count where something reads them. */
export type PlaceKind = "locality" | "node";

/** Where a client or an endpoint is. */
export interface Place {
  readonly locality: Locality;
  readonly node?: string;
  readonly network: string;
  readonly labels: Labels;
}

export const REGION_LABEL = "topology.kubernetes.io/region";
export const ZONE_LABEL = "topology.kubernetes.io/zone";
export const SUB_ZONE_LABEL = "topology.istio.io/subzone";
export const NETWORK_LABEL = "topology.istio.io/network";
export const NODE_LABEL = "kubernetes.io/hostname";

/** The value of a label that priorities are made of: the place's own, else the workload's label. */
export function labelAt(name: string, { locality, node, network, labels }: Place): string {
  const own = Object.hasOwn(labels, name) ? (labels[name] ?? "") : "";
  switch (name) {
    case REGION_LABEL:
      return locality.region || own;
    case ZONE_LABEL:
      return locality.zone || own;
    case SUB_ZONE_LABEL:
      return locality.subZone || own;
    case NETWORK_LABEL:
      return network || own;
    case NODE_LABEL:
      return node || own;
    default:
      return own;
  }
}

/** Name and, where it is written (`name=value`), the value that counts as the client's. */
export function parseFailoverLabel(text: string): { name: string; value?: string } {
  const at = text.indexOf("=");
  return at < 0 ? { name: text } : { name: text.slice(0, at), value: text.slice(at + 1) };
}

/** What of a proxy's place may change the endpoints of a service, or by a rule. */
export function placesReadBy(object: Service | DestinationRule): PlaceKind[] {
  if (object.kind === "Service") {
    if (object.prefers === "zone") return ["locality"];
    if (object.prefers === "node") return ["locality", "node"];
    return object.nodeLocal === true ? ["node"] : [];
  }
  const policies = policiesOf(object);
  const locality = policies.some(
    ({ outlierDetection, loadBalancer }) =>
      outlierDetection !== undefined ||
      loadBalancer?.localityLbSetting !== undefined ||
      loadBalancer?.zoneAwareLbSetting !== undefined,
  );
  if (!locality) return [];
  return failoverLabelsOf(object).includes(NODE_LABEL) ? ["locality", "node"] : ["locality"];
}

/** The same of the mesh's own settings; node only where priorities name it. */
export function placesReadByMesh(mesh: MeshConfig): PlaceKind[] {
  const { distribute = [] } = mesh.localityLb;
  const locality =
    mesh.zoneAwareLb !== undefined ||
    mesh.defaultOutlierDetection !== undefined ||
    distribute.length > 0;
  const node = failoverLabelsOfMesh(mesh).includes(NODE_LABEL);
  return [...(locality ? ["locality" as const] : []), ...(node ? ["node" as const] : [])];
}

/** Names of labels that a rule's priorities compare. */
export function failoverLabelsOf(rule: DestinationRule): string[] {
  return policiesOf(rule).flatMap(({ loadBalancer }) => [
    ...labelNames(loadBalancer?.localityLbSetting),
    ...labelNames(loadBalancer?.zoneAwareLbSetting),
  ]);
}

export function failoverLabelsOfMesh(mesh: MeshConfig): string[] {
  return [...labelNames(mesh.localityLb), ...labelNames(mesh.zoneAwareLb)];
}

function labelNames(setting: Pick<LocalityLoadBalancerSetting, "failoverPriority"> = {}): string[] {
  return (setting.failoverPriority ?? []).map((text) => parseFailoverLabel(text).name);
}

/** Policies at every level of a rule; those of ports have the same fields. */
function policiesOf({ spec }: DestinationRule): TrafficPolicy[] {
  const levels = [spec.trafficPolicy, ...(spec.subsets ?? []).map((one) => one.trafficPolicy)];
  return levels
    .filter((policy) => policy !== undefined)
    .flatMap((policy) => [policy, ...(policy.portLevelSettings ?? [])]);
}
