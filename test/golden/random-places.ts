/** Random objects of meshes with several clusters and networks, and workloads outside of them. */

import type { KubeObject } from "#cluster/api/meta.ts";

type Random = (below: number) => number;

const NAMES = ["a", "b", "c"];
const NAMESPACES = ["default", "other"];
const NETWORKS = ["", "net-1", "net-2"];

/** One object; equal names in the same cluster replace each other over time. */
export function randomPlacedObject(random: Random): KubeObject {
  const pick = <T>(list: readonly T[]): T => list[random(list.length)]!;
  const metadata = {
    name: pick(NAMES),
    namespace: pick(NAMESPACES),
    creationTimestamp: `2026-01-0${1 + random(3)}T00:00:00Z`,
    annotations: annotationsOf(pick(["", "west"])),
  };
  const istio = {
    apiVersion: "networking.istio.io/v1",
    metadata: { ...metadata, annotations: {} },
  };
  switch (random(8)) {
    case 0:
      return { apiVersion: "v1", kind: "Service", metadata, spec: service(random, pick) };
    case 1:
      return slice(random, pick, metadata);
    case 2:
      return pod(random, pick, metadata);
    case 3:
      return { ...istio, kind: "WorkloadEntry", ...workloadEntry(random, pick) };
    case 4:
      return { ...istio, kind: "ServiceEntry", ...serviceEntry(random, pick) };
    case 5:
      return gatewayService(random, pick, metadata);
    case 6:
      return namespaceOf(pick, metadata.annotations);
    default:
      return settings(pick);
  }
}

function annotationsOf(cluster: string): Record<string, string> {
  return cluster === "" ? {} : { "lateen.dev/cluster": cluster };
}

type Pick = <T>(list: readonly T[]) => T;

function namespaceOf(pick: Pick, annotations: Record<string, string>): KubeObject {
  const labels = {
    "topology.istio.io/network": pick(NETWORKS),
    discover: pick(["yes", "yes", "no"]),
  };
  const name = pick(["istio-system", ...NAMESPACES]);
  return { apiVersion: "v1", kind: "Namespace", metadata: { name, annotations, labels } };
}

function service(random: Random, pick: Pick): object {
  return {
    clusterIP: `192.0.2.${20 + random(8)}`,
    selector: { app: pick(["client", "a"]) },
    ports: [{ name: "http", port: pick([80, 90]), targetPort: pick([8080, "web"]) }],
  };
}

function slice(random: Random, pick: Pick, metadata: KubeObject["metadata"]): KubeObject {
  return {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    addressType: "IPv4",
    metadata: { ...metadata, labels: { "kubernetes.io/service-name": pick(NAMES) } },
    ports: [{ name: "http", port: 8080 }],
    endpoints: Array.from({ length: random(4) }, () => ({
      addresses: [`192.0.2.${100 + random(6)}`],
      ...(random(2) === 0 ? {} : { targetRef: { kind: "Pod", name: pick(NAMES) } }),
    })),
  };
}

function pod(random: Random, pick: Pick, metadata: KubeObject["metadata"]): KubeObject {
  const labels = {
    app: pick(["client", "a"]),
    "topology.istio.io/network": pick(NETWORKS),
    "security.istio.io/tlsMode": "istio",
  };
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { ...metadata, labels },
    spec: { containers: [] },
    status: { podIP: `192.0.2.${100 + random(6)}`, phase: "Running" },
  };
}

function workloadEntry(random: Random, pick: Pick): object {
  return {
    spec: {
      address: pick(["", "203.0.113.1", "203.0.113.2", "vm.example.org"]),
      network: pick(NETWORKS),
      labels: { app: pick(["client", "a"]) },
      ports: random(2) === 0 ? {} : { http: 9090, web: 9091 },
      serviceAccount: pick(["", "vm"]),
      weight: random(3),
    },
  };
}

function serviceEntry(random: Random, pick: Pick): object {
  const host = pick(["x.example.org", "vm.example.org", "a.default.svc.cluster.local"]);
  return {
    spec: {
      hosts: [host],
      location: "MESH_INTERNAL",
      resolution: pick(["STATIC", "STATIC", "DNS"]),
      ports: [{ number: pick([80, 90]), name: "http", protocol: pick(["HTTP", "TCP"]) }],
      workloadSelector: { labels: { app: pick(["client", "a"]) } },
    },
    status: {
      addresses: random(2) === 0 ? [] : [{ host, value: `240.240.0.${1 + random(3)}` }],
    },
  };
}

function gatewayService(random: Random, pick: Pick, metadata: KubeObject["metadata"]): KubeObject {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: {
      ...metadata,
      name: "eastwest",
      labels: { "topology.istio.io/network": pick(NETWORKS) },
    },
    spec: { type: "LoadBalancer", ports: [{ name: "tls", port: pick([15443, 15444]) }] },
    status: {
      loadBalancer: {
        ingress: Array.from({ length: random(3) }, (_none, at) => ({ ip: `203.0.113.${50 + at}` })),
      },
    },
  };
}

function settings(pick: Pick): KubeObject {
  const networks = pick([
    "",
    "networks: { net-2: { endpoints: [{ fromRegistry: west }], gateways: [{ address: 203.0.113.9, port: 443 }] } }",
    "networks: { net-1: { endpoints: [{ fromCidr: 192.0.2.100/30 }] } }",
  ]);
  const mesh = pick([
    "{}",
    "outboundTrafficPolicy: { mode: REGISTRY_ONLY }",
    "serviceSettings: [{ settings: { clusterLocal: true }, hosts: [a.default.svc.cluster.local] }]",
    'discoverySelectors: [{ matchLabels: { discover: "yes" } }]',
  ]);
  return {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: "istio", namespace: "istio-system" },
    data: { mesh, meshNetworks: networks },
  };
}
