/**
 * Shapes of the specs that translation reads. A cluster's API server has checked them already; a
 * folder of YAML has not, and one misshapen object must not harm the others.
 */

import type { ConfigKind } from "#pilot/model/object.ts";
import type { Shape } from "./shape.ts";

const TEXTS: Shape = ["text"];
const TEXT_MAP: Shape = { "*": "text" };
const MATCH: Shape = { exact: "text", prefix: "text", regex: "text" };
const MATCHES: Shape = { "*": MATCH };
const PERCENT: Shape = { value: "number" };
const PORT: Shape = { number: "number" };
const DESTINATION: Shape = { host: "text", subset: "text", port: PORT };
const NAMED_PORT: Shape = {
  number: "number",
  name: "text",
  protocol: "text",
  targetPort: "number",
};

const HEADER_OPERATIONS: Shape = { set: TEXT_MAP, add: TEXT_MAP, remove: TEXTS };
const HEADERS: Shape = { request: HEADER_OPERATIONS, response: HEADER_OPERATIONS };

const HTTP_MATCH: Shape = {
  name: "text",
  uri: MATCH,
  scheme: MATCH,
  method: MATCH,
  authority: MATCH,
  headers: MATCHES,
  withoutHeaders: MATCHES,
  queryParams: MATCHES,
  port: "number",
  sourceLabels: TEXT_MAP,
  sourceNamespace: "text",
  gateways: TEXTS,
  ignoreUriCase: "boolean",
};

const HTTP_RULE: Shape = {
  name: "text",
  match: [HTTP_MATCH],
  route: [{ destination: DESTINATION, weight: "number", headers: HEADERS }],
  redirect: {
    uri: "text",
    prefixRewrite: "text",
    authority: "text",
    scheme: "text",
    derivePort: "text",
    port: "number",
    redirectCode: "number",
  },
  directResponse: { status: "number", body: { string: "text", bytes: "text" } },
  rewrite: {
    uri: "text",
    authority: "text",
    uriRegexRewrite: { match: "text", rewrite: "text" },
  },
  timeout: "text",
  retries: {
    attempts: "number",
    perTryTimeout: "text",
    retryOn: "text",
    backoff: "text",
    retryRemoteLocalities: "boolean",
    retryIgnorePreviousHosts: "boolean",
  },
  fault: {
    delay: { fixedDelay: "text", percentage: PERCENT, percent: "number" },
    abort: { httpStatus: "number", grpcStatus: "text", percentage: PERCENT },
  },
  mirror: DESTINATION,
  mirrorPercentage: PERCENT,
  mirrorPercent: "number",
  mirror_percent: "number",
  mirrors: [{ destination: DESTINATION, percentage: PERCENT }],
  corsPolicy: {
    allowOrigin: TEXTS,
    allowOrigins: [MATCH],
    allowMethods: TEXTS,
    allowHeaders: TEXTS,
    exposeHeaders: TEXTS,
    maxAge: "text",
    allowCredentials: "boolean",
    unmatchedPreflights: "text",
  },
  headers: HEADERS,
  delegate: { name: "text", namespace: "text" },
};

const CONNECTION_MATCH: Shape = {
  destinationSubnets: TEXTS,
  gateways: TEXTS,
  port: "number",
  sniHosts: TEXTS,
  sourceLabels: TEXT_MAP,
  sourceNamespace: "text",
};

const CONNECTION_RULE: Shape = {
  match: [CONNECTION_MATCH],
  route: [{ destination: DESTINATION, weight: "number" }],
};

const POOL: Shape = {
  tcp: {
    maxConnections: "number",
    connectTimeout: "text",
    maxConnectionDuration: "text",
    idleTimeout: "text",
    tcpKeepalive: { probes: "number", time: "text", interval: "text" },
  },
  http: {
    http1MaxPendingRequests: "number",
    http2MaxRequests: "number",
    maxRequestsPerConnection: "number",
    maxRetries: "number",
    maxConcurrentStreams: "number",
    idleTimeout: "text",
    h2UpgradePolicy: "text",
    useClientProtocol: "boolean",
  },
};

const BALANCER: Shape = {
  simple: "text",
  consistentHash: {
    httpHeaderName: "text",
    httpCookie: { name: "text", path: "text", ttl: "text" },
    httpQueryParameterName: "text",
    useSourceIp: "boolean",
    minimumRingSize: "number",
    ringHash: { minimumRingSize: "number" },
    maglev: { tableSize: "number" },
  },
  localityLbSetting: { enabled: "boolean" },
  warmup: { duration: "text", minimumPercent: "number", aggression: "number" },
  warmupDurationSecs: "text",
};

const OUTLIERS: Shape = {
  consecutive5xxErrors: "number",
  consecutiveErrors: "number",
  consecutiveGatewayErrors: "number",
  consecutiveLocalOriginFailures: "number",
  splitExternalLocalOriginErrors: "boolean",
  interval: "text",
  baseEjectionTime: "text",
  maxEjectionPercent: "number",
  minHealthPercent: "number",
};

const CLIENT_TLS: Shape = {
  mode: "text",
  clientCertificate: "text",
  privateKey: "text",
  caCertificates: "text",
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

const POLICY: Shape = { ...PORT_POLICY, portLevelSettings: [{ ...PORT_POLICY, port: PORT }] };

const SERVER_TLS: Shape = {
  mode: "text",
  httpsRedirect: "boolean",
  credentialName: "text",
  credentialNames: TEXTS,
  serverCertificate: "text",
  privateKey: "text",
  caCertificates: "text",
  subjectAltNames: TEXTS,
  cipherSuites: TEXTS,
  minProtocolVersion: "text",
  maxProtocolVersion: "text",
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
    host: "text",
    exportTo: TEXTS,
    trafficPolicy: POLICY,
    subsets: [{ name: "text", labels: TEXT_MAP, trafficPolicy: POLICY }],
    workloadSelector: { matchLabels: TEXT_MAP },
  },
  Gateway: {
    selector: TEXT_MAP,
    servers: [{ port: NAMED_PORT, bind: "text", hosts: TEXTS, tls: SERVER_TLS }],
  },
  ServiceEntry: {
    hosts: TEXTS,
    addresses: TEXTS,
    exportTo: TEXTS,
    location: "text",
    resolution: "text",
    subjectAltNames: TEXTS,
    ports: [NAMED_PORT],
    endpoints: [
      {
        address: "text",
        ports: { "*": "number" },
        labels: TEXT_MAP,
        network: "text",
        locality: "text",
        weight: "number",
        serviceAccount: "text",
      },
    ],
    workloadSelector: { labels: TEXT_MAP },
  },
  Sidecar: {
    workloadSelector: { labels: TEXT_MAP },
    egress: [{ port: NAMED_PORT, bind: "text", captureMode: "text", hosts: TEXTS }],
    ingress: [{ port: NAMED_PORT, bind: "text", captureMode: "text", defaultEndpoint: "text" }],
    outboundTrafficPolicy: { mode: "text" },
  },
};
