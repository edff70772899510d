/**
 * How the places of endpoints count for a destination: what its rule says, else what the service
 * prefers, else what the mesh does.
 */

import type {
  LocalityDistribute,
  LocalityFailover,
  LocalityLoadBalancerSetting,
  TrafficPolicy,
  ZoneAwareLoadBalancerSetting,
} from "#crds/types/networking-v1.ts";
import type { LocalityBalancing } from "#pilot/ir/cluster.ts";
import type { MeshConfig } from "#pilot/model/mesh-config.ts";
import type { Locality, Service } from "#pilot/model/object.ts";
import {
  NETWORK_LABEL,
  NODE_LABEL,
  REGION_LABEL,
  SUB_ZONE_LABEL,
  ZONE_LABEL,
  labelAt,
  parseFailoverLabel,
} from "#pilot/model/place.ts";
import type { OutboundScope } from "#pilot/model/scope.ts";

export type LocalitySetting =
  | { readonly kind: "none" }
  | { readonly kind: "distribute"; readonly shares: readonly LocalityDistribute[] }
  | {
      readonly kind: "failover";
      /** `name` or `name=value`; empty: by region, zone and sub-zone alone. */
      readonly labels: readonly string[];
      readonly regions: readonly LocalityFailover[];
      readonly explicit: boolean;
    }
  | {
      readonly kind: "zone-aware";
      readonly enabled: boolean;
      readonly labels: readonly string[];
      readonly regions: readonly LocalityFailover[];
      readonly minimumClusterSize?: number;
    };

const NONE: LocalitySetting = { kind: "none" };

/** What holds for a destination whose policy is resolved. */
export function localitySetting(
  policy: TrafficPolicy,
  service: Service,
  mesh: MeshConfig,
): LocalitySetting {
  const { zoneAwareLbSetting, localityLbSetting } = policy.loadBalancer ?? {};
  const noticed = policy.outlierDetection !== undefined;
  if (zoneAwareLbSetting !== undefined) return zoneAware(zoneAwareLbSetting);
  if (localityLbSetting !== undefined) return byLocality(localityLbSetting, noticed);
  if (service.prefers !== undefined) {
    return { kind: "failover", labels: PREFERENCES[service.prefers], regions: [], explicit: true };
  }
  if (mesh.zoneAwareLb !== undefined) return zoneAware(mesh.zoneAwareLb);
  return byLocality(mesh.localityLb, noticed);
}

/** Kubernetes' `trafficDistribution`: the same of all of these first. */
const PREFERENCES: Readonly<Record<NonNullable<Service["prefers"]>, readonly string[]>> = {
  zone: [NETWORK_LABEL, REGION_LABEL, ZONE_LABEL],
  node: [NETWORK_LABEL, REGION_LABEL, ZONE_LABEL, SUB_ZONE_LABEL, NODE_LABEL],
};

/** Priorities only help where unhealthy endpoints are noticed; shares don't need that. */
function byLocality(setting: LocalityLoadBalancerSetting, noticed: boolean): LocalitySetting {
  if (setting.enabled === false) return NONE;
  const { distribute = [], failover = [], failoverPriority = [] } = setting;
  if (distribute.length > 0) return { kind: "distribute", shares: distribute };
  if (!noticed) return NONE;
  return {
    kind: "failover",
    labels: failoverPriority,
    regions: failover,
    explicit: failover.length > 0 || failoverPriority.length > 0,
  };
}

function zoneAware(setting: ZoneAwareLoadBalancerSetting): LocalitySetting {
  return {
    kind: "zone-aware",
    enabled: setting.enabled !== false,
    labels: setting.failoverPriority ?? [],
    regions: setting.failover ?? [],
    ...(setting.minClusterSize === undefined || setting.minClusterSize === null
      ? {}
      : { minimumClusterSize: setting.minClusterSize }),
  };
}

/** What the cluster itself must know about it. */
export function balancingOf(setting: LocalitySetting): LocalityBalancing | undefined {
  switch (setting.kind) {
    case "none":
      return undefined;
    case "distribute":
      return { kind: "weighted" };
    case "failover":
      return setting.explicit ? { kind: "weighted" } : undefined;
    case "zone-aware":
      return {
        kind: "zone-aware",
        enabled: setting.enabled,
        ...(setting.minimumClusterSize === undefined
          ? {}
          : { minimumClusterSize: setting.minimumClusterSize }),
      };
  }
}

/**
 * As text, of a client's place what settings look at, so that clients for whom it makes no
 * difference share the outcome; empty where nobody's matters. `placeFrom` reads it again.
 */
export function placeText(
  settings: readonly LocalitySetting[],
  scope: OutboundScope,
  nodeLocal: boolean,
): string {
  const names = [...new Set(settings.flatMap(labelsReadBy))];
  const { region, zone, subZone } = scope.locality;
  const locality = settings.some(readsLocality) ? [region, zone, subZone] : [];
  if (names.length === 0 && locality.length === 0 && !nodeLocal) return "";
  const labels = names.map((name): [string, string] => [name, labelAt(name, scope)]);
  return JSON.stringify([locality, labels, nodeLocal ? scope.node : ""]);
}

function labelsReadBy(setting: LocalitySetting): string[] {
  if (setting.kind === "none" || setting.kind === "distribute") return [];
  if (setting.kind === "zone-aware" && !setting.enabled) return [];
  return setting.labels
    .map((text) => parseFailoverLabel(text))
    .filter(({ value }) => value === undefined)
    .map(({ name }) => name);
}

function readsLocality(setting: LocalitySetting): boolean {
  switch (setting.kind) {
    case "none":
      return false;
    case "distribute":
      return true;
    case "failover":
      return setting.labels.length === 0 || setting.regions.length > 0;
    case "zone-aware":
      return setting.enabled;
  }
}

/** A client's place as far as settings look at it. */
export interface ClientPlace {
  readonly locality: Locality;
  readonly labels: ReadonlyMap<string, string>;
  /** Where only endpoints of the same node count; empty names no node. */
  readonly node: string;
}

type PlaceFields = [locality: string[], labels: [string, string][], node: string];

export function placeFrom(text: string): ClientPlace {
  const fields: PlaceFields = text === "" ? [[], [], ""] : (JSON.parse(text) as PlaceFields);
  const [[region = "", zone = "", subZone = ""], labels, node] = fields;
  return { locality: { region, zone, subZone }, labels: new Map(labels), node };
}
