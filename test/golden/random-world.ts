/** Random small worlds and changes of them, from a seed: input of property tests. */

import type { KubeObject } from "#cluster/api/meta.ts";
import { PEMS } from "./pems.ts";
import { randomPlacedObject } from "./random-places.ts";

/** A generator of numbers below a bound; the same seed gives the same sequence (mulberry32). */
export function randomNumbers(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

type Pick = <T>(list: readonly T[]) => T;

const NAMESPACES = ["default", "other", "istio-system"];
const NAMES = ["a", "b", "c", "d"];
const PORTS = [
  { name: "http", port: 80 },
  { name: "tcp", port: 90 },
  { name: "some", port: 91 },
  { name: "https", port: 443 },
];

/** One object of any kind that the mesh reads; equal names replace each other over time. */
export function randomObject(random: (below: number) => number): KubeObject {
  if (random(3) === 0) return randomPlacedObject(random);
  const pick: Pick = (list) => list[random(list.length)]!;
  const metadata = {
    name: pick(NAMES),
    namespace: pick(NAMESPACES),
    creationTimestamp: `2026-01-0${1 + random(3)}T00:00:00Z`,
  };
  // The last two are also short for services, and a ServiceEntry may have the same names.
  const host = pick([
    ...NAMES,
    "a.default.svc.cluster.local",
    "x.example.org",
    "*.example.org",
    "a.default",
    "b.other.svc",
  ]);
  const istio = { apiVersion: "networking.istio.io/v1", metadata };
  switch (random(8)) {
    case 0:
      return { apiVersion: "v1", kind: "Service", metadata, spec: service(random, pick) };
    case 1:
    case 2:
      return endpointSlice(random, pick, metadata);
    case 3:
      return { ...istio, kind: "VirtualService", spec: virtualService(random, pick, host) };
    case 4:
      return { ...istio, kind: "DestinationRule", spec: destinationRule(random, pick, host) };
    case 5:
      return { ...istio, kind: "ServiceEntry", spec: serviceEntry(random, pick) };
    case 6:
      return { ...istio, kind: "Gateway", spec: gateway(random, pick) };
    default:
      return {
        ...istio,
        kind: "Sidecar",
        spec: {
          egress: [
            { hosts: [pick(["*/*", "./*", "default/*", "other/a.other.svc.cluster.local"])] },
          ],
          ...(random(2) === 0 ? {} : { workloadSelector: { labels: { app: "client" } } }),
        },
      };
  }
}

type Random = (below: number) => number;

function service(random: Random, pick: Pick): object {
  return {
    clusterIP: pick(["None", `192.0.2.${random(8)}`]),
    selector: { app: pick(["client", "a"]) },
    ports: PORTS.filter(() => random(2) === 0),
    ...(random(4) === 0 ? { trafficDistribution: pick(["PreferSameZone", "PreferSameNode"]) } : {}),
    ...(random(6) === 0 ? { internalTrafficPolicy: "Local" } : {}),
  };
}

function endpointSlice(random: Random, pick: Pick, metadata: KubeObject["metadata"]): KubeObject {
  return {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    addressType: "IPv4",
    metadata: { ...metadata, labels: { "kubernetes.io/service-name": pick(NAMES) } },
    ports: PORTS.map(({ name, port }) => ({ name, port: port + 8000 })),
    endpoints: Array.from({ length: random(4) }, () => ({
      addresses: [`192.0.2.${100 + random(6)}`],
      conditions: { ready: random(4) > 0, terminating: random(8) === 0 },
      ...(random(2) === 0 ? { zone: pick(["a", "b"]), nodeName: pick(["n1", "n2"]) } : {}),
    })),
  };
}

function virtualService(random: Random, pick: Pick, host: string): object {
  const destination = (): object => ({
    host: pick([...NAMES, "a.other.svc.cluster.local"]),
    ...(random(2) === 0 ? {} : { subset: pick(["v1", "v2"]) }),
    ...(random(2) === 0 ? {} : { port: { number: pick([80, 90]) } }),
  });
  return {
    hosts: random(8) === 0 ? [] : [host, ...(random(3) === 0 ? [pick(NAMES)] : [])],
    ...(random(3) === 0 ? { gateways: [pick(["mesh", "default/a", "other/b"])] } : {}),
    ...(random(4) === 0 ? { exportTo: [pick([".", "*", "default"])] } : {}),
    http: Array.from({ length: 1 + random(3) }, () => ({
      ...(random(2) === 0 ? {} : { match: [{ uri: { prefix: pick(["/", "/x"]) } }] }),
      ...(random(6) === 0 ? { match: [{ sourceLabels: { app: pick(["client", "a"]) } }] } : {}),
      ...(random(8) === 0
        ? { delegate: { name: pick(NAMES), namespace: pick(NAMESPACES) } }
        : {
            route: [
              { destination: destination(), weight: random(100) },
              { destination: destination(), weight: 1 },
            ],
            ...(random(4) === 0 ? { mirrors: [{ destination: destination() }] } : {}),
          }),
    })),
    ...(random(3) === 0 ? { tcp: [{ route: [{ destination: destination() }] }] } : {}),
  };
}

function destinationRule(random: Random, pick: Pick, host: string): object {
  const policy = (): object =>
    random(2) === 0 ? {} : { trafficPolicy: trafficPolicy(random, pick) };
  return {
    host,
    ...policy(),
    ...(random(4) === 0 ? { exportTo: [pick([".", "*", "other"])] } : {}),
    ...(random(4) === 0
      ? { workloadSelector: { matchLabels: { app: pick(["client", "a"]) } } }
      : {}),
    subsets: ["v1", "v2"]
      .filter(() => random(2) === 0)
      .map((name) => ({ name, labels: { version: name }, ...policy() })),
  };
}

function trafficPolicy(random: Random, pick: Pick): object {
  const places = pick([
    {},
    { enabled: false },
    { distribute: [{ from: "north/*", to: { "north/a": 60, "*": 40 } }] },
    { failover: [{ from: "north", to: "south" }] },
    { failoverPriority: ["app", "kubernetes.io/hostname"] },
  ]);
  const all = {
    loadBalancer: pick<object>([
      { simple: "RANDOM" },
      { simple: "PASSTHROUGH" },
      { consistentHash: { useSourceIp: true } },
      { localityLbSetting: places },
      { zoneAwareLbSetting: { minClusterSize: 1 } },
    ]),
    ...(random(2) === 0 ? { outlierDetection: { consecutive5xxErrors: 3 } } : {}),
    ...(random(3) === 0 ? { tls: { mode: pick(["SIMPLE", "DISABLE"]), credentialName: "a" } } : {}),
    ...(random(3) === 0 ? { connectionPool: { http: { h2UpgradePolicy: "UPGRADE" } } } : {}),
  };
  return random(4) === 0
    ? { portLevelSettings: [{ port: { number: pick([80, 90]) }, ...all }] }
    : all;
}

function serviceEntry(random: Random, pick: Pick): object {
  return {
    hosts: [pick(["x.example.org", "y.example.org", "*.example.org", "a.default", "b.other.svc"])],
    resolution: pick(["NONE", "STATIC", "DNS", "DNS_ROUND_ROBIN", "DYNAMIC_DNS"]),
    addresses: random(2) === 0 ? [] : [pick(["198.51.100.0/24", "198.51.100.9"])],
    ports: PORTS.filter(() => random(2) === 0).map(({ name, port }) => ({
      name,
      number: port,
      protocol: pick(["HTTP", "TCP", "TLS"]),
    })),
    endpoints: Array.from({ length: random(3) }, () => ({
      address: `203.0.113.${random(5)}`,
      locality: pick(["north/a", "north/b", "south/c"]),
    })),
  };
}

/** Whole, without its authority, with another's key, or without anything; or authorities alone. */
export function randomSecret(random: Random): KubeObject {
  const pick: Pick = (list) => list[random(list.length)]!;
  const metadata = { name: pick(NAMES), namespace: pick(NAMESPACES) };
  const { cert } = pick(PEMS);
  const trust = random(2) === 0 ? { "ca.crt": cert } : {};
  if (random(4) === 0) return { apiVersion: "v1", kind: "ConfigMap", metadata, data: trust };
  const pair = random(4) === 0 ? {} : { "tls.crt": cert, "tls.key": pick(PEMS).key };
  return { apiVersion: "v1", kind: "Secret", metadata, stringData: { ...pair, ...trust } };
}

interface RandomServer {
  port: { number: number; name: string; protocol: string };
  hosts: string[];
  tls?: object;
}

/** What doesn't pass TLS through ends it. */
function withCertificate(server: RandomServer): object {
  if (server.port.number !== 443 || server.tls !== undefined) return server;
  const isMutual = server.hosts.includes("x.example.org");
  return {
    ...server,
    port: { number: 443, name: "https", protocol: "HTTPS" },
    tls: { mode: isMutual ? "MUTUAL" : "SIMPLE", credentialName: isMutual ? "a" : "b" },
  };
}

function gateway(random: Random, pick: Pick): object {
  return {
    selector: { istio: pick(["ingressgateway", "other"]) },
    servers: Array.from({ length: 1 + random(2) }, () =>
      withCertificate({
        port: pick([
          { number: 80, name: "http", protocol: "HTTP" },
          { number: 443, name: "tls", protocol: "TLS" },
          { number: 90, name: "tcp", protocol: "TCP" },
        ]),
        hosts: [pick(["*", "x.example.org", "*.example.org", "./*"])],
        ...(random(4) === 0 ? { tls: { mode: "PASSTHROUGH" } } : {}),
      }),
    ),
  };
}
