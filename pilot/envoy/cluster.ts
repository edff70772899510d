/** envoy.config.cluster.v3.Cluster. */

import {
  type Cluster,
  type ClusterHttp,
  type LoadBalancing,
  type OutlierDetection,
  type Warmup,
} from "#pilot/ir/cluster.ts";
import { FROM_ADS, any, duration, set } from "./any.ts";
import { buildAssignment } from "./endpoint.ts";
import { configPath, istioMetadata } from "./metadata.ts";
import { clientSocket, plainSocket } from "./tls.ts";

const HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
const DNS_REFRESH_MS = 60_000;

export function buildCluster(cluster: Cluster): object {
  const outbound = cluster.services.length > 0 && cluster.direction === "outbound";
  return {
    name: cluster.name,
    ...(outbound ? { altStatName: `${cluster.name};` } : {}),
    ...discovery(cluster),
    connectTimeout: duration(cluster.connectTimeoutMs),
    ...loadBalancing(cluster.loadBalancing),
    ...(cluster.limits === undefined
      ? {}
      : { circuitBreakers: { thresholds: [{ ...cluster.limits }] } }),
    ...(cluster.outlierDetection === undefined
      ? {}
      : { outlierDetection: outlierDetection(cluster.outlierDetection) }),
    ...(cluster.panicThresholdPercent === undefined
      ? {}
      : { commonLbConfig: { healthyPanicThreshold: { value: cluster.panicThresholdPercent } } }),
    ...protocolOptions(cluster),
    ...sockets(cluster),
    ...connections(cluster),
    ...istioMetadata({
      config: configPath(cluster.origins),
      services: cluster.services.length === 0 ? undefined : cluster.services,
      subset: cluster.subset,
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
        dnsRefreshRate: duration(DNS_REFRESH_MS),
        respectDnsTtl: true,
        dnsLookupFamily: "V4_ONLY",
      };
    case "original":
      return { type: "ORIGINAL_DST" };
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
        ringHashLbConfig: { minimumRingSize: String(lb.minimumRingSize) },
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

/**
 * Without a server name of its own, TLS asks for the request's host and expects its certificate.
 */
function protocolOptions({ http, tls }: Cluster): object {
  const auto = tls?.autoServerName === true;
  if (http === undefined && !auto) return {};
  const options = httpOptions(http ?? { version: "http1" });
  const upstream = {
    autoSni: true,
    ...(tls?.trust !== undefined && tls.subjectAltNames.length === 0
      ? { autoSanValidation: true }
      : {}),
  };
  return {
    typedExtensionProtocolOptions: {
      [HTTP_OPTIONS]: auto ? { ...options, upstreamHttpProtocolOptions: upstream } : options,
    },
  };
}

function httpOptions(http: ClusterHttp): object {
  const http2 = set({ maxConcurrentStreams: http.maxConcurrentStreams });
  const common = set({
    idleTimeout: http.idleTimeoutMs === undefined ? undefined : duration(http.idleTimeoutMs),
    maxRequestsPerConnection: http.maxRequestsPerConnection,
  });
  const version =
    http.version === "downstream"
      ? { useDownstreamProtocolConfig: { httpProtocolOptions: {}, http2ProtocolOptions: http2 } }
      : {
          explicitHttpConfig:
            http.version === "http2"
              ? { http2ProtocolOptions: http2 }
              : { httpProtocolOptions: {} },
        };
  return any(HTTP_OPTIONS, {
    ...(Object.keys(common).length === 0 ? {} : { commonHttpProtocolOptions: common }),
    ...version,
  });
}

/** With mutual TLS of the mesh, each endpoint says by its metadata whether it takes part. */
function sockets({ tls, meshTls }: Cluster): object {
  if (tls !== undefined) return { transportSocket: clientSocket(tls) };
  if (meshTls === undefined) return {};
  return {
    transportSocketMatches: [
      {
        name: "tlsMode-istio",
        match: { tlsMode: "istio" },
        transportSocket: clientSocket(meshTls),
      },
      { name: "tlsMode-disabled", match: {}, transportSocket: plainSocket() },
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
