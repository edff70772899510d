/** From where a proxy looks, as far as its platform knows it. */

import { expect, test } from "@jest/globals";
import type { KubeObject } from "#cluster/api/meta.ts";
import { type Proxy, parseProxy } from "#pilot/model/proxy.ts";
import { createPushContext } from "#pilot/model/push-context.ts";
import { type OutboundScope, scopesOf } from "#pilot/model/scope.ts";
import { Registry } from "./registry.ts";

function proxy(metadata: object = {}): Proxy {
  const id = "sidecar~192.0.2.10~client.default~default.svc.cluster.local";
  const parsed = parseProxy({ id, metadata });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return parsed.proxy;
}

const POD: KubeObject = {
  apiVersion: "v1",
  kind: "Pod",
  metadata: {
    name: "client",
    namespace: "default",
    labels: { "topology.istio.io/network": "here" },
  },
  spec: { nodeName: "node-1", containers: [] },
  status: { podIP: "192.0.2.10", phase: "Running" },
};
const NODE: KubeObject = {
  apiVersion: "v1",
  kind: "Node",
  metadata: { name: "node-1", labels: { "topology.kubernetes.io/region": "north" } },
};
/** It makes places count. */
const NEAR: KubeObject = {
  apiVersion: "v1",
  kind: "Service",
  metadata: { name: "near", namespace: "default" },
  spec: { trafficDistribution: "PreferClose", ports: [{ port: 80 }] },
};
const GATEWAY: KubeObject = {
  apiVersion: "v1",
  kind: "Service",
  metadata: { name: "gw", namespace: "default", labels: { "topology.istio.io/network": "there" } },
  spec: { externalIPs: ["203.0.113.1"], ports: [{ port: 15443 }] },
};

function scopeOf(who: Proxy, objects: readonly [KubeObject, string?][]): OutboundScope {
  const registry = new Registry();
  const changes = objects.flatMap(([object, cluster]) =>
    registry.handle({ type: "upsert", object, ...(cluster === undefined ? {} : { cluster }) }),
  );
  return scopesOf(createPushContext(changes), who).outbound;
}

test("a proxy that doesn't know its place has that of its pod", () => {
  const objects = [[POD], [NODE], [NEAR], [GATEWAY]] as [KubeObject][];
  expect(scopeOf(proxy(), objects)).toMatchObject({
    locality: { region: "north", zone: "", subZone: "" },
    network: "here",
  });
  expect(scopeOf(proxy({ NETWORK: "own" }), objects).network).toBe("own");
});

test("nothing of a place is in a scope where nothing depends on it", () => {
  const { locality, network } = scopeOf(proxy({ NETWORK: "own" }), [[POD], [NODE]]);
  expect([locality.region, network]).toEqual(["", ""]);
});

test("a pod of another cluster with the same address isn't the proxy's", () => {
  const objects: [KubeObject, string?][] = [[POD, "west"], [NODE, "west"], [NEAR], [NEAR, "west"]];
  expect(scopeOf(proxy(), objects)).toMatchObject({ cluster: "", locality: { region: "" } });
  expect(scopeOf(proxy({ CLUSTER_ID: "west" }), objects)).toMatchObject({
    cluster: "west",
    locality: { region: "north" },
  });
  expect(scopeOf(proxy({ CLUSTER_ID: "nobody's" }), objects).cluster).toBe("");
});
