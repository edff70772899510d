/** A TrafficPolicy as properties of a cluster. */

import type {
  ConsistentHashLB,
  LoadBalancerSettings,
  OutlierDetection as OutlierSpec,
  TrafficPolicy,
} from "#crds/types/networking-v1.ts";
import type { Cluster, LoadBalancing, OutlierDetection, Warmup } from "#pilot/ir/cluster.ts";
import type { MeshConfig } from "#pilot/model/mesh-config.ts";
import { type PoolFields, type PoolUser, connectionPool } from "./connection-pool.ts";
import type { PolicyField } from "./destination-rule.ts";
import { durationMs, numberField } from "./fields.ts";
import { type Reporter, error } from "./result.ts";

/** What a policy decides about a cluster. */
export type PolicyFields = PoolFields &
  Pick<Cluster, "loadBalancing" | "outlierDetection" | "panicThresholdPercent" | "proxyProtocol">;

/** Where a policy is written, for problems. */
export interface PolicyPlace {
  readonly report: Reporter;
  readonly path: string;
}

/** A policy's fields over the mesh's defaults; each may be written elsewhere. */
export function applyPolicy(
  policy: TrafficPolicy,
  user: PoolUser,
  mesh: MeshConfig,
  placeOf: (field: PolicyField) => PolicyPlace,
): PolicyFields {
  const outliers = policy.outlierDetection;
  return {
    loadBalancing: loadBalancingOf(policy.loadBalancer, placeOf("loadBalancer")),
    ...connectionPool(policy, user, mesh, placeOf("connectionPool")),
    panicThresholdPercent: outliers?.minHealthPercent ?? 0,
    ...(outliers === undefined
      ? {}
      : { outlierDetection: outlierOf(outliers, placeOf("outlierDetection")) }),
    ...(policy.proxyProtocol === undefined
      ? {}
      : { proxyProtocol: policy.proxyProtocol.version ?? "V1" }),
  };
}

function loadBalancingOf(
  spec: LoadBalancerSettings | undefined,
  place: PolicyPlace,
): LoadBalancing {
  const { report, path } = place;
  const lb = `${path}.loadBalancer`;
  if (spec?.consistentHash !== undefined) return hashing(spec.consistentHash, report, lb);
  const warmup = warmupOf(spec, report, lb);
  const slowly = warmup === undefined ? {} : { warmup };
  switch (spec?.simple) {
    case "ROUND_ROBIN":
      return { kind: "round-robin", ...slowly };
    case "RANDOM":
      return { kind: "random" };
    case "PASSTHROUGH":
      return { kind: "provided" };
    case "LEAST_REQUEST":
    case "LEAST_CONN":
    case "UNSPECIFIED":
    case undefined:
      return { kind: "least-request", ...slowly };
  }
}

/** Envoy's bounds: rings of at most 8,388,608 places, tables of a prime of at most 5,000,011. */
const MAX_RING = 8_388_608;
const MAX_TABLE = 5_000_011;

function hashing(
  { maglev, ringHash, minimumRingSize = 0 }: ConsistentHashLB,
  report: Reporter,
  path: string,
): LoadBalancing {
  if (maglev !== undefined) {
    const size = maglev.tableSize ?? 0;
    if (size === 0) return { kind: "maglev" };
    if (size <= MAX_TABLE && isPrime(size)) return { kind: "maglev", tableSize: size };
    const message = `${size} is not a prime up to ${MAX_TABLE}: the default, 65537, is used`;
    error(report, `${path}.consistentHash.maglev.tableSize`, "InvalidTableSize", message);
    return { kind: "maglev" };
  }
  const size = ringHash === undefined ? minimumRingSize || 1024 : (ringHash.minimumRingSize ?? 0);
  if (size === 0) return { kind: "ring-hash" };
  if (size <= MAX_RING) return { kind: "ring-hash", minimumRingSize: size };
  const field = ringHash === undefined ? "minimumRingSize" : "ringHash.minimumRingSize";
  const message = `${size} is more than ${MAX_RING}, which is used`;
  error(report, `${path}.consistentHash.${field}`, "InvalidRingSize", message);
  return { kind: "ring-hash", minimumRingSize: MAX_RING };
}

function isPrime(value: number): boolean {
  if (value < 2) return false;
  for (let divisor = 2; divisor * divisor <= value; divisor++) {
    if (value % divisor === 0) return false;
  }
  return true;
}

function warmupOf(
  spec: LoadBalancerSettings | undefined,
  report: Reporter,
  path: string,
): Warmup | undefined {
  const text = spec?.warmup?.duration ?? spec?.warmupDurationSecs;
  const duration = durationMs(text, report, `${path}.warmup.duration`);
  if (duration === undefined) return undefined;
  return {
    durationMs: duration,
    minimumPercent: spec?.warmup?.minimumPercent ?? 10,
    aggression: spec?.warmup?.aggression ?? 1,
  };
}

function outlierOf(spec: OutlierSpec, { report, path }: PolicyPlace): OutlierDetection {
  const at = `${path}.outlierDetection`;
  const intervalMs = durationMs(spec.interval, report, `${at}.interval`);
  const baseEjectionTimeMs = durationMs(spec.baseEjectionTime, report, `${at}.baseEjectionTime`);
  const split = spec.splitExternalLocalOriginErrors ?? false;
  const codes = spec.outlierDetectionHttpErrorCodes ?? [];
  const five = spec.consecutive5xxErrors ?? spec.consecutiveErrors;
  return {
    ...(five === undefined || five === null ? {} : { consecutive5xx: five }),
    ...numberField("consecutiveGatewayErrors", spec.consecutiveGatewayErrors),
    ...(split
      ? numberField(
          "consecutiveLocalOriginFailures",
          spec.consecutiveLocalOriginFailures || undefined,
        )
      : {}),
    splitExternalLocalOriginErrors: split,
    ...(intervalMs === undefined ? {} : { intervalMs }),
    ...(baseEjectionTimeMs === undefined ? {} : { baseEjectionTimeMs }),
    ...numberField("maxEjectionPercent", spec.maxEjectionPercent || undefined),
    ...(codes.length === 0 ? {} : { httpErrorCodes: codes }),
  };
}
