import { describe, expect, test } from "@jest/globals";
import type { Node, Pod, PodSpec } from "#cluster/api/generated/core-v1.ts";
import { decide } from "./decide.ts";
import { SnapshotCache } from "./snapshot.ts";
import type { Snapshot } from "./snapshot.ts";

interface NodeTraits {
  cpu?: string;
  memory?: string;
  pods?: string;
  labels?: Record<string, string>;
  spec?: Node["spec"];
  ready?: string;
}

function node(name: string, traits: NodeTraits = {}): Node {
  const { cpu = "2", memory = "4Gi", pods = "110", labels, spec, ready = "True" } = traits;
  return {
    metadata: { name, labels: { "kubernetes.io/hostname": name, ...labels } },
    spec,
    status: {
      allocatable: { cpu, memory, pods },
      conditions: [{ type: "Ready", status: ready }],
    },
  };
}

function pod(name: string, spec: Partial<PodSpec> = {}, labels: Record<string, string> = {}): Pod {
  return {
    metadata: { namespace: "default", name, uid: name, labels },
    spec: { containers: [{ name: "c" }], ...spec },
  };
}

function asking(requests: Record<string, string>): Partial<PodSpec> {
  return { containers: [{ name: "c", resources: { requests } }] };
}

function snapshot(nodes: Node[], placed: [Pod, string][] = []): Snapshot {
  const cache = new SnapshotCache();
  for (const one of nodes) cache.setNode(one);
  for (const [one, at] of placed) cache.assume(one, at);
  return { nodes: cache.nodes, servicesOf: () => [] };
}

const TAINTED = node("a", {
  spec: { taints: [{ key: "gpu", value: "yes", effect: "NoSchedule" }] },
});
const ZONED = [
  node("a", { labels: { zone: "1", disk: "ssd", rank: "5" } }),
  node("b", { labels: { zone: "2" } }),
];

function affine(key: string, operator: string, values?: string[]): Partial<PodSpec> {
  const matchExpressions = [{ key, operator, values }];
  return {
    affinity: {
      nodeAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: {
          nodeSelectorTerms: [{ matchExpressions }],
        },
      },
    },
  };
}

describe("a pod fits", () => {
  const app = { app: "web" };
  const apart = {
    affinity: {
      podAntiAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: [
          { labelSelector: { matchLabels: app }, topologyKey: "kubernetes.io/hostname" },
        ],
      },
    },
  };
  test.each<[string, Pod, Snapshot, string]>([
    [
      "where there is room",
      pod("p", asking({ cpu: "1500m" })),
      snapshot([node("a", { cpu: "1" }), node("b")]),
      "b",
    ],
    [
      "on the emptier node",
      pod("p"),
      snapshot([node("a"), node("b")], [[pod("x", asking({ cpu: "1" })), "a"]]),
      "b",
    ],
    ["by nodeSelector", pod("p", { nodeSelector: { zone: "2" } }), snapshot(ZONED), "b"],
    ["by affinity In", pod("p", affine("zone", "In", ["2", "3"])), snapshot(ZONED), "b"],
    ["by affinity NotIn", pod("p", affine("zone", "NotIn", ["1"])), snapshot(ZONED), "b"],
    ["by affinity Exists", pod("p", affine("disk", "Exists")), snapshot(ZONED), "a"],
    ["by affinity Gt", pod("p", affine("rank", "Gt", ["4"])), snapshot(ZONED), "a"],
    [
      "with a toleration",
      pod("p", { tolerations: [{ key: "gpu", operator: "Exists" }] }),
      snapshot([TAINTED]),
      "a",
    ],
    [
      "apart from its kind",
      pod("p", apart, app),
      snapshot([node("a"), node("b")], [[pod("x", {}, app), "a"]]),
      "b",
    ],
    [
      "where a port is free",
      pod("p", { containers: [{ name: "c", ports: [{ containerPort: 1, hostPort: 80 }] }] }),
      snapshot(
        [node("a"), node("b")],
        [
          [
            pod("x", { containers: [{ name: "c", ports: [{ containerPort: 1, hostPort: 80 }] }] }),
            "a",
          ],
        ],
      ),
      "b",
    ],
    [
      "where a cordon is tolerated",
      pod("p", { tolerations: [{ operator: "Exists" }] }),
      snapshot([node("a", { spec: { unschedulable: true } })]),
      "a",
    ],
  ])("%s", (_, wanted, world, name) => {
    expect(decide(wanted, world)).toEqual({ kind: "node", name });
  });

  test("nowhere, and the message says why, as Kubernetes does", () => {
    const one = (what: Pod, nodes: Node[]): string => {
      const decision = decide(what, snapshot(nodes));
      return decision.kind === "none" ? decision.message : "";
    };
    const big = pod("p", asking({ cpu: "8", memory: "64Gi" }));
    expect(one(pod("p", asking({ cpu: "8" })), [node("a")])).toBe(
      "0/1 nodes are available: 1 Insufficient cpu.",
    );
    expect(one(big, [node("a"), node("b"), TAINTED])).toContain("0/2 nodes are available: ");
    expect(one(pod("p"), [])).toBe("no nodes available to schedule pods");
    expect(one(pod("p"), [TAINTED])).toBe(
      "0/1 nodes are available: 1 node(s) had untolerated taint {gpu: yes}.",
    );
    expect(one(pod("p"), [node("a", { spec: { unschedulable: true } })])).toBe(
      "0/1 nodes are available: 1 node(s) were unschedulable.",
    );
    expect(one(pod("p"), [node("a", { pods: "0" })])).toBe(
      "0/1 nodes are available: 1 Too many pods.",
    );
    expect(one(pod("p", { nodeSelector: { zone: "9" } }), ZONED)).toBe(
      "0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector.",
    );
    expect(one(pod("p"), [node("a", { ready: "Unknown" })])).toBe(
      "0/1 nodes are available: 1 node(s) had untolerated taint {node.kubernetes.io/not-ready: }.",
    );
  });

  test("replicas spread over the nodes", () => {
    const cache = new SnapshotCache();
    for (const name of ["a", "b", "c"]) cache.setNode(node(name));
    const owner = {
      apiVersion: "apps/v1",
      kind: "ReplicaSet",
      name: "r",
      uid: "r",
      controller: true,
    };
    for (let i = 0; i < 9; i += 1) {
      const replica = pod(`p${i}`);
      replica.metadata.ownerReferences = [owner];
      const decision = decide(replica, { nodes: cache.nodes, servicesOf: () => [] });
      if (decision.kind === "node") cache.assume(replica, decision.name);
    }
    expect(cache.nodes.map(({ pods }) => pods.length)).toEqual([3, 3, 3]);
  });

  test("a hard spread constraint is kept", () => {
    const spread: Partial<PodSpec> = {
      topologySpreadConstraints: [
        {
          maxSkew: 1,
          topologyKey: "zone",
          whenUnsatisfiable: "DoNotSchedule",
          labelSelector: { matchLabels: { app: "web" } },
        },
      ],
    };
    const labels = { app: "web" };
    const full = snapshot(ZONED, [[pod("x", {}, labels), "a"]]);
    expect(decide(pod("p", spread, labels), full)).toEqual({ kind: "node", name: "b" });
  });
});

describe("requests", () => {
  test("sidecars run beside, init containers before", () => {
    const cpu = (value: string): object => ({ resources: { requests: { cpu: value } } });
    const spec: Partial<PodSpec> = {
      containers: [{ name: "c", ...cpu("500m") }],
      initContainers: [
        { name: "sidecar", restartPolicy: "Always", ...cpu("300m") },
        { name: "init", ...cpu("700m") },
      ],
    };
    // While starting: 300m + 700m; while running: 300m + 500m.
    const fits = (size: string): string =>
      decide(pod("p", spec), snapshot([node("a", { cpu: size })])).kind;
    expect([fits("1"), fits("999m")]).toEqual(["node", "none"]);
  });
});
