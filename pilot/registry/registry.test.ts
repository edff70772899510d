import { describe, expect, test } from "@jest/globals";
import type { KubeObject } from "#cluster/api/meta.ts";
import { hostname } from "#pilot/model/name.ts";
import type { Endpoint } from "#pilot/model/object.ts";
import { lookup } from "#pilot/model/object-index.ts";
import {
  type PushContext,
  allServices,
  createPushContext,
  updatePushContext,
} from "#pilot/model/push-context.ts";
import { Registry } from "./registry.ts";

const SERVICE: KubeObject = {
  apiVersion: "v1",
  kind: "Service",
  metadata: { name: "web", namespace: "default" },
  spec: { clusterIP: "192.0.2.1", selector: { app: "web" }, ports: [{ name: "http", port: 80 }] },
};

const SLICE: KubeObject = {
  apiVersion: "discovery.k8s.io/v1",
  kind: "EndpointSlice",
  metadata: {
    name: "web-x",
    namespace: "default",
    labels: { "kubernetes.io/service-name": "web" },
  },
  addressType: "IPv4",
  ports: [{ name: "http", port: 8080 }],
  endpoints: [{ addresses: ["192.0.2.10"], targetRef: { kind: "Pod", name: "web-1" } }],
};

function pod(labels: Record<string, string>): KubeObject {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name: "web-1",
      namespace: "default",
      labels: { ...labels, "pod-template-hash": "abc" },
      ownerReferences: [
        { apiVersion: "apps/v1", kind: "ReplicaSet", name: "web-abc", uid: "1", controller: true },
      ],
    },
    spec: { nodeName: "node-1", containers: [] },
    status: { podIP: "192.0.2.10", phase: "Running" },
  };
}

function node(zone: string): KubeObject {
  return {
    apiVersion: "v1",
    kind: "Node",
    metadata: { name: "node-1", labels: { "topology.kubernetes.io/zone": zone } },
  };
}

/** A registry and the world that its changes have made so far. */
class World {
  readonly registry = new Registry();
  context: PushContext = createPushContext([]);

  see(...objects: readonly KubeObject[]): void {
    for (const object of objects) this.#apply("upsert", object);
  }

  lose(object: KubeObject): void {
    this.#apply("delete", object);
  }

  endpoints(host = "web.default.svc.cluster.local"): Endpoint[] {
    return lookup(this.context.indexes.endpointsByHost, hostname(host)).flatMap(
      (set) => set.endpoints,
    );
  }

  #apply(type: "upsert" | "delete", object: KubeObject): void {
    this.context = updatePushContext(this.context, this.registry.handle({ type, object }));
  }
}

describe("endpoints of a service", () => {
  test.each([
    ["the pod first", [node("a"), pod({ app: "web" }), SERVICE, SLICE]],
    ["the slice first", [SLICE, SERVICE, pod({ app: "web" }), node("a")]],
  ])("carry the labels and place of their pods, %s", (_name, objects) => {
    const world = new World();
    world.see(...objects);
    expect(world.endpoints()).toEqual([
      expect.objectContaining({
        address: "192.0.2.10",
        ports: { http: 8080 },
        labels: { app: "web", "pod-template-hash": "abc" },
        workload: "web",
        locality: { region: "", zone: "a", subZone: "" },
      }),
    ]);
  });

  test("follow a pod's new label and a node's new zone", () => {
    const world = new World();
    world.see(SERVICE, SLICE, node("a"), pod({ app: "web" }));
    world.see(pod({ app: "web", version: "v2" }));
    expect(world.endpoints()[0]?.labels.version).toBe("v2");
    world.see(node("b"));
    expect(world.endpoints()[0]?.locality.zone).toBe("b");
  });

  test("stay without labels when the pod goes before its slice does", () => {
    const world = new World();
    world.see(SERVICE, SLICE, pod({ app: "web" }));
    world.lose(pod({ app: "web" }));
    expect(world.endpoints()).toEqual([expect.objectContaining({ labels: {} })]);
    world.lose(SLICE);
    expect(world.endpoints()).toEqual([]);
  });
});

describe("a ServiceEntry", () => {
  const entry = (hosts: string[]): KubeObject => ({
    apiVersion: "networking.istio.io/v1beta1",
    kind: "ServiceEntry",
    metadata: { name: "e", namespace: "default" },
    spec: {
      hosts,
      resolution: "STATIC",
      ports: [{ name: "http", number: 80, protocol: "HTTP" }],
      workloadSelector: { labels: { app: "web" } },
    },
  });

  test("takes back the services of hosts that it no longer names", () => {
    const world = new World();
    world.see(entry(["a.example.org", "b.example.org"]));
    world.see(entry(["b.example.org"]));
    expect(allServices(world.context).map((service) => service.host)).toEqual(["b.example.org"]);
    world.lose(entry([]));
    expect(allServices(world.context)).toEqual([]);
  });

  test("follows the workloads that it selects", () => {
    const world = new World();
    world.see(entry(["a.example.org"]), pod({ app: "web" }));
    expect(world.endpoints("a.example.org").map((one) => one.address)).toEqual(["192.0.2.10"]);
    world.see(pod({ app: "other" }));
    expect(world.endpoints("a.example.org")).toEqual([]);
  });

  test("that is misshapen takes its services away and says why", () => {
    const world = new World();
    world.see(entry(["a.example.org"]));
    world.see({ ...entry([]), spec: { hosts: "a.example.org" } });
    expect(allServices(world.context)).toEqual([]);
    expect(world.registry.problems()).toEqual([
      expect.objectContaining({ object: "ServiceEntry/default/e", path: "spec.hosts" }),
    ]);
    world.see(entry(["a.example.org"]));
    expect(world.registry.problems()).toEqual([]);
  });
});

describe("the mesh's settings", () => {
  const settings = (mesh: string): KubeObject => ({
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: "istio", namespace: "istio-system" },
    data: { mesh },
  });

  test("come from the ConfigMap, those that make sense", () => {
    const world = new World();
    world.see(settings("connectTimeout: 3s\naccessLogFile: 7\noutboundTrafficPolicy: {}\n"));
    expect(world.context.mesh).toMatchObject({
      connectTimeoutMs: 3000,
      accessLogFile: "",
      outboundTrafficPolicy: "REGISTRY_ONLY",
    });
    expect(world.registry.problems().map(({ path }) => path)).toEqual(["data.mesh.accessLogFile"]);
    world.lose(settings(""));
    expect(world.context.mesh.connectTimeoutMs).toBe(10_000);
  });

  test("that are no YAML change nothing", () => {
    const world = new World();
    world.see(settings("{"));
    expect(world.context.mesh.connectTimeoutMs).toBe(10_000);
    expect(world.registry.problems()).toHaveLength(1);
  });
});

describe("a host of several ServiceEntries", () => {
  const entry = (name: string, time: string, spec: object): KubeObject => ({
    apiVersion: "networking.istio.io/v1",
    kind: "ServiceEntry",
    metadata: { name, namespace: "default", creationTimestamp: `2026-01-0${time}T00:00:00Z` },
    spec: { hosts: ["a.example.org"], ...spec },
  });
  const http = { number: 80, name: "http", protocol: "HTTP" };

  test("is that of the oldest, and of the others what fits; the rest is told", () => {
    const world = new World();
    const first = entry("first", "1", { resolution: "STATIC", ports: [http] });
    const more = [http, { number: 81, name: "more", protocol: "HTTP" }];
    const second = entry("second", "2", { resolution: "STATIC", ports: more });
    const clash = { ...http, protocol: "TCP" };
    world.see(second, entry("clash", "3", { resolution: "STATIC", ports: [clash] }), first);
    world.see(entry("other", "4", { resolution: "DNS", ports: [http] }));
    const told = (): string[] =>
      world.registry.problems().map(({ object, path, reason }) => `${object} ${path} ${reason}`);
    expect(told()).toEqual([
      "ServiceEntry/default/clash spec.ports[0] HostTaken",
      "ServiceEntry/default/other spec.resolution HostTaken",
    ]);
    world.lose(first);
    world.lose(second);
    expect(told()).toEqual(["ServiceEntry/default/other spec.resolution HostTaken"]);
    world.lose(entry("other", "4", {}));
    expect(told()).toEqual([]);
  });
});

describe("discovery selectors", () => {
  const namespace = (labels: Record<string, string>): KubeObject => ({
    apiVersion: "v1",
    kind: "Namespace",
    metadata: { name: "default", labels },
  });
  const settings = (selectors: string): KubeObject => ({
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: "istio", namespace: "istio-system" },
    data: { mesh: `discoverySelectors: ${selectors}` },
  });
  const hosts = (world: World): string[] => allServices(world.context).map(({ host }) => host);
  const WEB = "web.default.svc.cluster.local";

  test("let a namespace come into view and leave it with all that is in it", () => {
    const world = new World();
    world.see(SERVICE, SLICE, pod({ app: "web" }));
    world.see(settings("[{ matchLabels: { mesh: on } }]"));
    expect([hosts(world), world.endpoints()]).toEqual([[], []]);
    world.see(namespace({ mesh: "on" }));
    expect(hosts(world)).toEqual([WEB]);
    expect(world.endpoints()).toEqual([expect.objectContaining({ workload: "web" })]);
    world.see(namespace({}));
    expect(hosts(world)).toEqual([]);
    world.see(settings("[{ matchExpressions: [{ key: mesh, operator: DoesNotExist }] }]"));
    expect(hosts(world)).toEqual([WEB]);
    world.see(settings("[]"));
    world.lose(SERVICE);
    expect(hosts(world)).toEqual([]);
  });
});

describe("the network of an endpoint", () => {
  const root = (network: string): KubeObject => ({
    apiVersion: "v1",
    kind: "Namespace",
    metadata: { name: "istio-system", labels: { "topology.istio.io/network": network } },
  });
  const networks = (text: string): KubeObject => ({
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: "istio", namespace: "istio-system" },
    data: { meshNetworks: text },
  });
  const networkOf = (world: World): string | undefined => world.endpoints()[0]?.network;

  test("is its label's, its cluster's by namespace, by settings, or that of its address", () => {
    const world = new World();
    world.see(SERVICE, SLICE, pod({}));
    expect(networkOf(world)).toBe("");
    world.see(networks("networks: { by-range: { endpoints: [{ fromCidr: 192.0.2.0/24 }] } }"));
    expect(networkOf(world)).toBe("by-range");
    const byCluster = "{ endpoints: [{ fromRegistry: Kubernetes }] }";
    world.see(networks(`networks: { by-cluster: ${byCluster} }`));
    expect(networkOf(world)).toBe("by-cluster");
    world.see(root("by-namespace"));
    expect(networkOf(world)).toBe("by-namespace");
    world.see(pod({ "topology.istio.io/network": "by-label" }));
    expect(networkOf(world)).toBe("by-label");
    world.see(pod({}));
    world.lose(root(""));
    world.lose(networks(""));
    expect(networkOf(world)).toBe("");
  });

  test("with settings that can't be read is told, and nothing comes of them", () => {
    const world = new World();
    world.see(SERVICE, SLICE, networks("networks: { a: { gateways: [{ address: 192.0.2.1 }] } }"));
    expect(world.registry.problems().map(({ path }) => path)).toEqual([
      "data.meshNetworks.networks.a.gateways[0].port",
    ]);
    expect(networkOf(world)).toBe("");
  });
});

describe("a WorkloadEntry", () => {
  const entry = (spec: object): KubeObject => ({
    apiVersion: "networking.istio.io/v1",
    kind: "WorkloadEntry",
    metadata: { name: "vm", namespace: "default" },
    spec,
  });

  test("is an endpoint of the Services that select it, as long as they do", () => {
    const world = new World();
    world.see(entry({ address: "203.0.113.1", labels: { app: "web" } }), SERVICE);
    expect(world.endpoints().map((one) => [one.address, one.ports])).toEqual([
      ["203.0.113.1", { http: 80 }],
    ]);
    world.see({ ...SERVICE, spec: { ...(SERVICE.spec as object), selector: { app: "other" } } });
    expect(world.endpoints()).toEqual([]);
    world.see(SERVICE);
    expect(world.endpoints()).toHaveLength(1);
    world.see(entry({ address: "203.0.113.1", labels: { app: "other" } }));
    expect(world.endpoints()).toEqual([]);
    world.see(entry({ address: "203.0.113.1", labels: { app: "web" } }));
    world.lose(SERVICE);
    expect(world.endpoints()).toEqual([]);
  });
});
