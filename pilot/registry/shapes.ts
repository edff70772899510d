/**
 * Shapes of the specs that translation reads. A cluster's API server has checked them already; a
 * folder of YAML has not, and one misshapen object must not harm the others.
 */

import type { ConfigKind } from "#pilot/model/object.ts";
import { type Shape, oneOf } from "./shape.ts";

const TEXTS: Shape = ["text"];
const TEXT_MAP: Shape = { "*": "text" };
const MATCH: Shape = { exact: "text", prefix: "text", regex: "text" };
const MATCHES: Shape = { "*": MATCH };
const PERCENT: Shape = { value: "number" };
const PORT: Shape = { "number!": "port" };
const DESTINATION: Shape = { "host!": "text", subset: "text", port: PORT };
const NAMED_PORT: Shape = {
  "number!": "port",
  name: "text",
  protocol: "text",
  targetPort: "port",
};

const HEADER_OPERATIONS: Shape = { set: TEXT_MAP, add: TEXT_MAP, remove: TEXTS };
const HEADERS: Shape = { request: HEADER_OPERATIONS, response: HEADER_OPERATIONS };

const HTTP_MATCH: Shape = {
  name: "text",
  statPrefix: "text",
  uri: MATCH,
  scheme: MATCH,
  method: MATCH,
  authority: MATCH,
  headers: MATCHES,
  withoutHeaders: MATCHES,
  queryParams: MATCHES,
  port: "count",
  sourceLabels: TEXT_MAP,
  sourceNamespace: "text",
  gateways: TEXTS,
  ignoreUriCase: "boolean",
};

const HTTP_RULE: Shape = {
  name: "text",
  match: [HTTP_MATCH],
  route: [{ "destination!": DESTINATION, weight: "count", headers: HEADERS }],
  redirect: {
    uri: "text",
    prefixRewrite: "text",
    authority: "text",
    scheme: oneOf("http", "https"),
    derivePort: oneOf("FROM_PROTOCOL_DEFAULT", "FROM_REQUEST_PORT"),
    port: "port",
    redirectCode: oneOf(301, 302, 303, 307, 308),
  },
  directResponse: { "status!": "count", body: { string: "text", bytes: "text" } },
  rewrite: {
    uri: "text",
    authority: "text",
    uriRegexRewrite: { "match!": "text", rewrite: "text" },
  },
  timeout: "text",
  retries: {
    attempts: "count",
    perTryTimeout: "text",
    retryOn: "text",
    backoff: "text",
    retryRemoteLocalities: "boolean",
    retryIgnorePreviousHosts: "boolean",
  },
  fault: {
    delay: { fixedDelay: "text", percentage: PERCENT, percent: "number" },
    abort: { httpStatus: "count", grpcStatus: "text", percentage: PERCENT },
  },
  mirror: DESTINATION,
  mirrorPercentage: PERCENT,
  mirrorPercent: "count",
  mirror_percent: "count",
  mirrors: [{ "destination!": DESTINATION, percentage: PERCENT }],
  corsPolicy: {
    allowOrigin: TEXTS,
    allowOrigins: [MATCH],
    allowMethods: TEXTS,
    allowHeaders: TEXTS,
    exposeHeaders: TEXTS,
    maxAge: "text",
    allowCredentials: "boolean",
    unmatchedPreflights: oneOf("UNSPECIFIED", "FORWARD", "IGNORE"),
  },
  headers: HEADERS,
  delegate: { "name!": "text", namespace: "text" },
};

const CONNECTION_MATCH: Shape = {
  destinationSubnets: TEXTS,
  gateways: TEXTS,
  port: "count",
  sniHosts: TEXTS,
  sourceLabels: TEXT_MAP,
  sourceNamespace: "text",
};

const CONNECTION_RULE: Shape = {
  match: [CONNECTION_MATCH],
  route: [{ "destination!": DESTINATION, weight: "count" }],
};

export const POOL: Shape = {
  tcp: {
    maxConnections: "count",
    connectTimeout: "text",
    maxConnectionDuration: "text",
    idleTimeout: "text",
    tcpKeepalive: { probes: "count", time: "text", interval: "text" },
  },
  http: {
    http1MaxPendingRequests: "count",
    http2MaxRequests: "count",
    maxRequestsPerConnection: "count",
    maxRetries: "count",
    maxConcurrentStreams: "count",
    idleTimeout: "text",
    http2KeepAlive: { interval: "text", timeout: "text" },
    h2UpgradePolicy: oneOf("DEFAULT", "DO_NOT_UPGRADE", "UPGRADE"),
    useClientProtocol: "boolean",
  },
};

const REGION_FAILOVER: Shape = { from: "text", to: "text" };

export const LOCALITY: Shape = {
  enabled: "boolean",
  distribute: [{ from: "text", to: { "*": "count" } }],
  failover: [REGION_FAILOVER],
  failoverPriority: TEXTS,
};

export const ZONE_AWARE: Shape = {
  enabled: "boolean",
  minClusterSize: "count",
  failover: [REGION_FAILOVER],
  failoverPriority: TEXTS,
};

const BALANCER: Shape = {
  simple: oneOf(
    "UNSPECIFIED",
    "LEAST_CONN",
    "RANDOM",
    "PASSTHROUGH",
    "ROUND_ROBIN",
    "LEAST_REQUEST",
  ),
  consistentHash: {
    httpHeaderName: "text",
    httpCookie: {
      "name!": "text",
      path: "text",
      ttl: "text",
      attributes: [{ "name!": "text", value: "text" }],
    },
    httpQueryParameterName: "text",
    useSourceIp: "boolean",
    minimumRingSize: "count",
    ringHash: { minimumRingSize: "count" },
    maglev: { tableSize: "count" },
  },
  localityLbSetting: LOCALITY,
  zoneAwareLbSetting: ZONE_AWARE,
  warmup: { duration: "text", minimumPercent: "number", aggression: "number" },
  warmupDurationSecs: "text",
};

export const OUTLIERS: Shape = {
  consecutive5xxErrors: "count",
  consecutiveErrors: "count",
  consecutiveGatewayErrors: "count",
  consecutiveLocalOriginFailures: "count",
  outlierDetectionHttpErrorCodes: ["count"],
  splitExternalLocalOriginErrors: "boolean",
  interval: "text",
  baseEjectionTime: "text",
  maxEjectionPercent: "count",
  minHealthPercent: "count",
};

export const CLIENT_TLS: Shape = {
  mode: oneOf("DISABLE", "SIMPLE", "MUTUAL", "ISTIO_MUTUAL"),
  clientCertificate: "text",
  privateKey: "text",
  caCertificates: "text",
  caCrl: "text",
  credentialName: "text",
  sni: "text",
  subjectAltNames: TEXTS,
  insecureSkipVerify: "boolean",
};

const PORT_POLICY: Shape = {
  loadBalancer: BALANCER,
  connectionPool: POOL,
  outlierDetection: OUTLIERS,
  tls: CLIENT_TLS,
};

const POLICY: Shape = {
  ...PORT_POLICY,
  portLevelSettings: [{ ...PORT_POLICY, "port!": PORT }],
  proxyProtocol: { version: oneOf("V1", "V2") },
  retryBudget: { percent: "number", minRetryConcurrency: "count", budgetInterval: "text" },
  tunnel: { protocol: oneOf("CONNECT", "POST"), "targetHost!": "text", "targetPort!": "port" },
};

const SERVER_TLS: Shape = {
  mode: oneOf(
    "PASSTHROUGH",
    "SIMPLE",
    "MUTUAL",
    "AUTO_PASSTHROUGH",
    "ISTIO_MUTUAL",
    "OPTIONAL_MUTUAL",
  ),
  httpsRedirect: "boolean",
  credentialName: "text",
  credentialNames: TEXTS,
  serverCertificate: "text",
  privateKey: "text",
  caCertificates: "text",
  tlsCertificates: [{ serverCertificate: "text", privateKey: "text", caCertificates: "text" }],
  caCertCredentialName: "text",
  caCrl: "text",
  insecureSkipVerify: "boolean",
  verifyCertificateSpki: TEXTS,
  verifyCertificateHash: TEXTS,
  subjectAltNames: TEXTS,
  cipherSuites: TEXTS,
  minProtocolVersion: "text",
  maxProtocolVersion: "text",
};

const CAPTURE: Shape = oneOf("DEFAULT", "IPTABLES", "NONE");

const TARGET: Shape = { "name!": "text", "kind!": "text", group: "text", namespace: "text" };
const TARGETS: Shape = [TARGET];

const NAMED: Shape = { name: "text" };

const CONFIG_PATCH: Shape = {
  applyTo: "text",
  match: {
    context: oneOf("ANY", "SIDECAR_INBOUND", "SIDECAR_OUTBOUND", "GATEWAY", "WAYPOINT"),
    proxy: { proxyVersion: "text", metadata: TEXT_MAP },
    listener: {
      name: "text",
      portNumber: "count",
      portName: "text",
      listenerFilter: "text",
      filterChain: {
        name: "text",
        sni: "text",
        transportProtocol: "text",
        applicationProtocols: "text",
        destinationPort: "count",
        filter: { name: "text", subFilter: NAMED },
      },
    },
    routeConfiguration: {
      name: "text",
      portNumber: "count",
      portName: "text",
      gateway: "text",
      vhost: {
        name: "text",
        domainName: "text",
        route: { name: "text", action: oneOf("ANY", "ROUTE", "REDIRECT", "DIRECT_RESPONSE") },
      },
    },
    cluster: { name: "text", service: "text", subset: "text", portNumber: "count" },
  },
  patch: { operation: "text", filterClass: "text" },
};

const SIDE: Shape = { mode: oneOf("CLIENT_AND_SERVER", "CLIENT", "SERVER") };
const PROVIDERS: Shape = [{ "name!": "text" }];
const TAG_SOURCE: Shape = { "name!": "text", defaultValue: "text" };
const TAG_VALUE: Shape = { "value!": "text" };

const TELEMETRY: Shape = {
  selector: { matchLabels: TEXT_MAP },
  targetRef: TARGET,
  targetRefs: TARGETS,
  accessLogging: [
    { match: SIDE, providers: PROVIDERS, disabled: "boolean", filter: { expression: "text" } },
  ],
  tracing: [
    {
      match: SIDE,
      providers: PROVIDERS,
      randomSamplingPercentage: "number",
      disableSpanReporting: "boolean",
      disableContextPropagation: "boolean",
      enableIstioTags: "boolean",
      useRequestIdForTraceSampling: "boolean",
      customTags: {
        "*": {
          literal: TAG_VALUE,
          formatter: TAG_VALUE,
          environment: TAG_SOURCE,
          header: TAG_SOURCE,
        },
      },
    },
  ],
  metrics: [
    {
      providers: PROVIDERS,
      reportingInterval: "text",
      overrides: [
        {
          disabled: "boolean",
          match: { metric: "text", customMetric: "text", mode: "text" },
          tagOverrides: { "*": { operation: "text", value: "text" } },
        },
      ],
    },
  ],
};

const WORKLOAD: Shape = {
  address: "text",
  ports: { "*": "port" },
  labels: TEXT_MAP,
  network: "text",
  locality: "text",
  weight: "count",
  serviceAccount: "text",
};

export const SHAPES: { readonly [K in ConfigKind]: Shape } = {
  VirtualService: {
    hosts: TEXTS,
    gateways: TEXTS,
    exportTo: TEXTS,
    http: [HTTP_RULE],
    tls: [CONNECTION_RULE],
    tcp: [CONNECTION_RULE],
  },
  DestinationRule: {
    "host!": "text",
    exportTo: TEXTS,
    trafficPolicy: POLICY,
    subsets: [{ "name!": "text", labels: TEXT_MAP, trafficPolicy: POLICY }],
    workloadSelector: { matchLabels: TEXT_MAP },
  },
  Gateway: {
    selector: TEXT_MAP,
    servers: [{ "port!": NAMED_PORT, bind: "text", hosts: TEXTS, tls: SERVER_TLS }],
  },
  ServiceEntry: {
    hosts: TEXTS,
    addresses: TEXTS,
    exportTo: TEXTS,
    location: oneOf("MESH_EXTERNAL", "MESH_INTERNAL"),
    resolution: oneOf("NONE", "STATIC", "DNS", "DNS_ROUND_ROBIN", "DYNAMIC_DNS"),
    subjectAltNames: TEXTS,
    ports: [NAMED_PORT],
    endpoints: [WORKLOAD],
    workloadSelector: { labels: TEXT_MAP },
  },
  Sidecar: {
    workloadSelector: { labels: TEXT_MAP },
    egress: [{ port: NAMED_PORT, bind: "text", captureMode: CAPTURE, hosts: TEXTS }],
    ingress: [
      {
        "port!": NAMED_PORT,
        bind: "text",
        captureMode: CAPTURE,
        defaultEndpoint: "text",
        connectionPool: POOL,
        tls: SERVER_TLS,
      },
    ],
    inboundConnectionPool: POOL,
    outboundTrafficPolicy: {
      mode: oneOf("REGISTRY_ONLY", "ALLOW_ANY"),
      egressProxy: DESTINATION,
    },
  },
  EnvoyFilter: {
    workloadSelector: { labels: TEXT_MAP },
    targetRefs: TARGETS,
    configPatches: [CONFIG_PATCH],
    priority: "integer",
  },
  Telemetry: TELEMETRY,
  ProxyConfig: {
    selector: { matchLabels: TEXT_MAP },
    concurrency: "count",
    environmentVariables: TEXT_MAP,
    image: { imageType: "text" },
  },
  WorkloadEntry: WORKLOAD,
  WorkloadGroup: {
    metadata: { labels: TEXT_MAP, annotations: TEXT_MAP },
    "template!": WORKLOAD,
    probe: {},
  },
};
