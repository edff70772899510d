/** envoy.config.cluster.v3.Cluster. */

import type {
  Cluster,
  Limits,
  LoadBalancing,
  OutlierDetection,
  Warmup,
} from "#pilot/ir/cluster.ts";
import { type Extension, FROM_ADS, duration, extension, set } from "./any.ts";
import { protocolOptions } from "./cluster-http.ts";
import { dnsCache } from "./dns-cache.ts";
import { buildAssignment } from "./endpoint.ts";
import { configPath, istioMetadata } from "./metadata.ts";
import { clientSocket, plainSocket, proxyProtocolSocket } from "./tls.ts";

export function buildCluster(cluster: Cluster): object {
  const limits = cluster.limits === undefined ? undefined : thresholds(cluster.limits);
  const balancing = commonBalancing(cluster);
  return {
    name: cluster.name,
    altStatName: `${cluster.statName ?? cluster.name};`,
    ...discovery(cluster),
    connectTimeout: duration(cluster.connectTimeoutMs),
    ...loadBalancing(cluster.loadBalancing),
    ...(limits === undefined ? {} : { circuitBreakers: { thresholds: [limits] } }),
    ...(cluster.outlierDetection === undefined
      ? {}
      : { outlierDetection: outlierDetection(cluster.outlierDetection) }),
    ...(Object.keys(balancing).length === 0 ? {} : { commonLbConfig: balancing }),
    ...protocolOptions(cluster),
    ...sockets(cluster),
    ...connections(cluster),
    ...istioMetadata({
      config: configPath(cluster.origins),
      services: cluster.services.length === 0 ? undefined : cluster.services,
      subset: cluster.subset,
      external: cluster.external,
    }),
  };
}

function discovery({ name, discovery }: Cluster): object {
  switch (discovery.kind) {
    case "discovered":
      return { type: "EDS", edsClusterConfig: { edsConfig: FROM_ADS, serviceName: name } };
    case "static":
      return { type: "STATIC", loadAssignment: buildAssignment(discovery.assignment) };
    case "dns":
      return {
        type: discovery.answers === "all" ? "STRICT_DNS" : "LOGICAL_DNS",
        loadAssignment: buildAssignment(discovery.assignment),
        dnsRefreshRate: duration(discovery.refreshMs),
        respectDnsTtl: true,
        dnsLookupFamily: "V4_ONLY",
      };
    case "dns-on-request":
      return {
        clusterType: extension(
          "envoy.clusters.dynamic_forward_proxy",
          "envoy.extensions.clusters.dynamic_forward_proxy.v3.ClusterConfig",
          {
            dnsCacheConfig: dnsCache(discovery.cache),
            ...(discovery.nameUnverified ? { allowInsecureClusterOptions: true } : {}),
          },
        ),
      };
    case "original":
      return {
        type: "ORIGINAL_DST",
        ...(discovery.port === undefined
          ? {}
          : { originalDstLbConfig: { upstreamPortOverride: discovery.port } }),
      };
    case "none":
      return { type: "STATIC" };
  }
}

function loadBalancing(lb: LoadBalancing): object {
  switch (lb.kind) {
    case "least-request":
      return {
        lbPolicy: "LEAST_REQUEST",
        ...(lb.warmup === undefined
          ? {}
          : { leastRequestLbConfig: { slowStartConfig: slowStart(lb.warmup) } }),
      };
    case "round-robin":
      return {
        lbPolicy: "ROUND_ROBIN",
        ...(lb.warmup === undefined
          ? {}
          : { roundRobinLbConfig: { slowStartConfig: slowStart(lb.warmup) } }),
      };
    case "random":
      return { lbPolicy: "RANDOM" };
    case "ring-hash":
      return {
        lbPolicy: "RING_HASH",
        ...(lb.minimumRingSize === undefined
          ? {}
          : { ringHashLbConfig: { minimumRingSize: String(lb.minimumRingSize) } }),
      };
    case "maglev":
      return {
        lbPolicy: "MAGLEV",
        ...(lb.tableSize === undefined
          ? {}
          : { maglevLbConfig: { tableSize: String(lb.tableSize) } }),
      };
    case "provided":
      return { lbPolicy: "CLUSTER_PROVIDED" };
  }
}

/** Priorities and weights of localities, and what to do when few endpoints are left. */
function commonBalancing({ panicThresholdPercent, localities }: Cluster): object {
  return {
    ...(panicThresholdPercent === undefined
      ? {}
      : { healthyPanicThreshold: { value: panicThresholdPercent } }),
    ...(localities?.kind === "weighted" ? { localityWeightedLbConfig: {} } : {}),
    ...(localities?.kind === "zone-aware"
      ? {
          zoneAwareLbConfig: {
            ...(localities.enabled ? {} : { routingEnabled: { value: 0 } }),
            ...(localities.minimumClusterSize === undefined
              ? {}
              : { minClusterSize: String(localities.minimumClusterSize) }),
          },
        }
      : {}),
  };
}

function thresholds({ retryBudget, ...counts }: Limits): object {
  if (retryBudget === undefined) return counts;
  return {
    ...counts,
    retryBudget: set({
      budgetPercent: { value: retryBudget.percent },
      minRetryConcurrency: retryBudget.minimumConcurrency,
      budgetInterval:
        retryBudget.intervalMs === undefined ? undefined : duration(retryBudget.intervalMs),
    }),
  };
}

function slowStart(warmup: Warmup): object {
  return set({
    slowStartWindow: duration(warmup.durationMs),
    aggression:
      warmup.aggression === undefined
        ? undefined
        : { defaultValue: warmup.aggression, runtimeKey: "lateen.slow_start.aggression" },
    minWeightPercent:
      warmup.minimumPercent === undefined ? undefined : { value: warmup.minimumPercent },
  });
}

/** Ejection by success rate is off: Istio's rules only count consecutive errors. */
function outlierDetection(spec: OutlierDetection): object {
  const enforce = (count: number | undefined): number | undefined =>
    count === undefined ? undefined : count > 0 ? 100 : 0;
  const counted = (count: number | undefined): number | undefined =>
    count === undefined || count === 0 ? undefined : count;
  return set({
    consecutive5xx: counted(spec.consecutive5xx),
    enforcingConsecutive5xx: enforce(spec.consecutive5xx),
    consecutiveGatewayFailure: counted(spec.consecutiveGatewayErrors),
    enforcingConsecutiveGatewayFailure: enforce(spec.consecutiveGatewayErrors),
    enforcingSuccessRate: 0,
    interval: spec.intervalMs === undefined ? undefined : duration(spec.intervalMs),
    baseEjectionTime:
      spec.baseEjectionTimeMs === undefined ? undefined : duration(spec.baseEjectionTimeMs),
    maxEjectionPercent: spec.maxEjectionPercent,
    splitExternalLocalOriginErrors: spec.splitExternalLocalOriginErrors ? true : undefined,
    consecutiveLocalOriginFailure: counted(spec.consecutiveLocalOriginFailures),
    enforcingConsecutiveLocalOriginFailure: enforce(spec.consecutiveLocalOriginFailures),
    enforcingLocalOriginSuccessRate: spec.splitExternalLocalOriginErrors ? 0 : undefined,
  });
}

/** With mutual TLS of the mesh, each endpoint says by its metadata whether it takes part. */
function sockets({ tls, meshTls, proxyProtocol }: Cluster): object {
  const wrapped = (socket: Extension): Extension =>
    proxyProtocol === undefined ? socket : proxyProtocolSocket(proxyProtocol, socket);
  if (tls !== undefined) return { transportSocket: wrapped(clientSocket(tls)) };
  if (meshTls === undefined) {
    return proxyProtocol === undefined ? {} : { transportSocket: wrapped(plainSocket()) };
  }
  return {
    transportSocketMatches: [
      {
        name: "tlsMode-istio",
        match: { tlsMode: "istio" },
        transportSocket: wrapped(clientSocket(meshTls)),
      },
      { name: "tlsMode-disabled", match: {}, transportSocket: wrapped(plainSocket()) },
    ],
  };
}

function connections(cluster: Cluster): object {
  const { keepAlive } = cluster;
  return {
    ...(keepAlive === undefined
      ? {}
      : {
          upstreamConnectionOptions: {
            tcpKeepalive: set({
              keepaliveProbes: keepAlive.probes,
              keepaliveTime: keepAlive.timeSeconds,
              keepaliveInterval: keepAlive.intervalSeconds,
            }),
          },
        }),
    ...(cluster.sourceAddress === undefined
      ? {}
      : {
          upstreamBindConfig: { sourceAddress: { address: cluster.sourceAddress, portValue: 0 } },
        }),
    ...(cluster.discovery.kind === "original" && cluster.name.startsWith("inbound|")
      ? { cleanupInterval: "9223372035s" }
      : {}),
  };
}
