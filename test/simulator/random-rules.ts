/** Random worlds of rules that pull at each other, from a seed, as one client or gateway has them. */

import type { KubeObject } from "#cluster/api/meta.ts";
import { PEMS } from "#test/golden/pems.ts";
import { type Draw, randomHttpRule, randomTcpRule, randomTlsRule } from "./random-parts.ts";

const NAMESPACES = ["default", "other"];
const SERVICES: readonly (readonly [string, string, string])[] = [
  ["a", "default", "192.0.2.101"],
  ["b", "default", "192.0.2.102"],
  ["c", "other", "192.0.2.103"],
  ["pods", "default", "None"],
];
export const GATEWAY_PORTS = [
  { number: 8080, name: "http", protocol: "HTTP" },
  { number: 8081, name: "web", protocol: "HTTP2" },
  { number: 8443, name: "https", protocol: "HTTPS" },
  { number: 9443, name: "tls", protocol: "TLS" },
  { number: 9000, name: "tcp", protocol: "TCP" },
] as const;
const RULE_HOSTS = [
  "a",
  "b",
  "c.other.svc.cluster.local",
  "pods",
  "x.example.org",
  "*.wild.example.org",
  "y.wild.example.org",
  "only-a-rule.example.org",
  "*.example.org",
  "UPPER.example.org",
  "*",
];

/** Platform objects; who looks at them is for the caller to say. */
export function randomRules(draw: Draw): KubeObject[] {
  const mesh = draw.one([
    "",
    "outboundTrafficPolicy: { mode: REGISTRY_ONLY }",
    "pathNormalization: { normalization: MERGE_SLASHES }",
    "pathNormalization: { normalization: DECODE_AND_MERGE_SLASHES }",
    "pathNormalization: { normalization: NONE }",
  ]);
  return [
    object("v1", "ConfigMap", "istio", "istio-system", { data: { mesh } }),
    ...SERVICES.flatMap(([name, namespace, clusterIP]) =>
      service(name, namespace, clusterIP, draw),
    ),
    ...entries(draw),
    ...["web", "other"].map((name) => istio("Gateway", name, "default", gateway(draw))),
    ...["web", "other"].map((name, at) =>
      object("v1", "Secret", name, "default", {
        type: "kubernetes.io/tls",
        data: {
          "tls.crt": Buffer.from(PEMS[at]?.cert ?? "").toString("base64"),
          "tls.key": Buffer.from(PEMS[at]?.key ?? "").toString("base64"),
        },
      }),
    ),
    ...["a", "b", "c"].map((host) =>
      istio("DestinationRule", host, host === "c" ? "other" : "default", {
        host,
        subsets: ["v1", "v2"].map((name) => ({ name, labels: { version: name } })),
      }),
    ),
    ...Array.from({ length: 3 + draw.below(5) }, (_, at) => virtualService(draw, at)),
    ...["team", "crew"].map((name) =>
      istio("VirtualService", name, "other", {
        http: Array.from({ length: 1 + draw.below(3) }, () => randomHttpRule(draw, "delegate")),
      }),
    ),
    ...(draw.below(4) === 0 ? [sidecar(draw)] : []),
  ];
}

function object(
  apiVersion: string,
  kind: string,
  name: string,
  namespace: string,
  rest: object,
): KubeObject {
  return { apiVersion, kind, metadata: { name, namespace }, ...rest };
}

function istio(kind: string, name: string, namespace: string, spec: object): KubeObject {
  return object("networking.istio.io/v1", kind, name, namespace, { spec });
}

const PORTS = [
  { name: "http", port: 80 },
  { name: "http-alt", port: 8080 },
  { name: "tcp", port: 9000 },
  { name: "unnamed", port: 9001 },
  { name: "https", port: 443 },
];

function service(name: string, namespace: string, clusterIP: string, draw: Draw): KubeObject[] {
  const ports = PORTS.filter(({ port }) => port === 80 || draw.below(3) > 0);
  const addresses = ["192.0.2.11", "192.0.2.12"];
  const slice = {
    addressType: "IPv4",
    ports: ports.map((one) => ({ name: one.name, port: one.port })),
    endpoints: addresses.map((address) => ({ addresses: [address], conditions: { ready: true } })),
  };
  const made = object("discovery.k8s.io/v1", "EndpointSlice", name, namespace, slice);
  const labels = { "kubernetes.io/service-name": name };
  return [
    object("v1", "Service", name, namespace, { spec: { clusterIP, ports } }),
    { ...made, metadata: { ...made.metadata, labels } },
  ];
}

function entries(draw: Draw): KubeObject[] {
  const http = { number: 80, name: "http", protocol: "HTTP" };
  const tls = { number: 443, name: "tls", protocol: "TLS" };
  const tcp = { number: 9100, name: "tcp", protocol: "TCP" };
  return [
    istio("ServiceEntry", "x", "default", {
      hosts: ["x.example.org"],
      ports: [http, ...(draw.below(2) === 0 ? [tls] : [])],
      resolution: "DNS",
    }),
    istio("ServiceEntry", "wild", "default", {
      hosts: ["*.wild.example.org"],
      ports: [http, tls],
      resolution: "NONE",
    }),
    istio("ServiceEntry", "range", "default", {
      hosts: ["range.example.org"],
      addresses: [draw.one(["198.51.100.0/24", "198.51.100.7"])],
      ports: [tcp, ...(draw.below(2) === 0 ? [http] : [])],
      resolution: "STATIC",
      endpoints: [{ address: "203.0.113.1" }],
    }),
  ];
}

function gateway(draw: Draw): object {
  const servers = GATEWAY_PORTS.filter(() => draw.below(3) > 0).map((port) => {
    const hosts = draw.some(["*", "a.example.org", "*.example.org", "default/b.example.org"], 2);
    switch (port.protocol) {
      case "HTTPS": {
        const tls = { mode: "SIMPLE", credentialName: draw.one(["web", "other"]) };
        return { port, hosts, tls };
      }
      case "TLS":
        return { port, hosts, tls: { mode: "PASSTHROUGH" } };
      case "HTTP":
        return draw.below(5) === 0
          ? { port, hosts, tls: { httpsRedirect: true } }
          : { port, hosts };
      case "HTTP2":
      case "TCP":
        return { port, hosts };
    }
  });
  const fallback = { port: GATEWAY_PORTS[0], hosts: ["*"] };
  return { selector: { istio: "web" }, servers: servers.length > 0 ? servers : [fallback] };
}

/** Hosts of gateways, which services of the mesh needn't have. */
const GATEWAY_HOSTS = ["a.example.org", "b.example.org", "*.example.org", "*"];

function virtualService(draw: Draw, at: number): KubeObject {
  const atGateway = draw.below(2) === 0;
  const hosts = draw.some(atGateway ? GATEWAY_HOSTS : RULE_HOSTS, 2);
  const gateways = atGateway ? draw.some(["web", "other", "mesh"], 2) : ["mesh"];
  const list = (most: number, make: () => object): object[] =>
    Array.from({ length: draw.below(most + 1) }, make);
  const made = istio("VirtualService", `rule-${at}`, draw.one(NAMESPACES), {
    hosts: gateways.includes("mesh") ? hosts.filter((host) => host !== "*") : hosts,
    gateways: gateways.map((name) => (name === "mesh" ? name : `default/${name}`)),
    http: [randomHttpRule(draw, "root"), ...list(4, () => randomHttpRule(draw, "root"))],
    ...(draw.below(3) === 0
      ? { tcp: [randomTcpRule(draw), ...list(1, () => randomTcpRule(draw))] }
      : {}),
    ...(draw.below(3) === 0
      ? { tls: [randomTlsRule(draw), ...list(1, () => randomTlsRule(draw))] }
      : {}),
  });
  const creationTimestamp = `2026-01-0${1 + draw.below(5)}T00:00:00Z`;
  return { ...made, metadata: { ...made.metadata, creationTimestamp } };
}

function sidecar(draw: Draw): KubeObject {
  const hosts = draw.some(["./*", "other/*", "default/a.default.svc.cluster.local", "*/*"], 2);
  return istio("Sidecar", "default", "default", { egress: [{ hosts }] });
}
