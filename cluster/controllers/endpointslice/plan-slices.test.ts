import { describe, expect, test } from "@jest/globals";
import type { Pod, Service } from "#cluster/api/generated/core-v1.ts";
import type { EndpointSlice } from "#cluster/api/generated/discovery-v1.ts";
import { buildEndpoints } from "./build-endpoints.ts";
import type { EndpointGroup } from "./build-endpoints.ts";
import { planSlices } from "./plan-slices.ts";
import type { SlicePlan } from "./plan-slices.ts";

const SERVICE: Service = {
  metadata: { namespace: "default", name: "web", uid: "s", labels: { team: "a" } },
  spec: {
    selector: { app: "web" },
    clusterIP: "192.0.2.1",
    ports: [{ name: "http", port: 80, targetPort: "web" }],
  },
};

interface Traits {
  ip?: string;
  ready?: boolean;
  deleting?: boolean;
  phase?: string;
  port?: number;
  spec?: object;
}

function pod(name: string, traits: Traits = {}): Pod {
  const { ip = "192.0.2.10", ready = true, deleting = false, phase = "Running" } = traits;
  return {
    metadata: {
      namespace: "default",
      name,
      uid: name,
      ...(deleting ? { deletionTimestamp: "2026-01-01T00:00:00Z" } : {}),
    },
    spec: {
      nodeName: "n1",
      containers: [{ name: "c", ports: [{ name: "web", containerPort: traits.port ?? 8080 }] }],
      ...traits.spec,
    },
    status: { phase, podIP: ip, conditions: [{ type: "Ready", status: ready ? "True" : "False" }] },
  };
}

function build(service: Service, pods: Pod[]): EndpointGroup[] {
  return buildEndpoints({
    service,
    pods,
    nodeOf: (name) => ({ metadata: { name, labels: { "topology.kubernetes.io/zone": "z1" } } }),
  });
}

describe("endpoints of a service", () => {
  test("carry the pod, its node and zone, and the number of a named port", () => {
    expect(build(SERVICE, [pod("a")])).toEqual([
      {
        addressType: "IPv4",
        ports: [{ name: "http", protocol: "TCP", port: 8080 }],
        endpoints: [
          {
            addresses: ["192.0.2.10"],
            conditions: { ready: true, serving: true, terminating: false },
            nodeName: "n1",
            zone: "z1",
            targetRef: { kind: "Pod", namespace: "default", name: "a", uid: "a" },
          },
        ],
      },
    ]);
  });

  test.each<[string, Traits, boolean, object | undefined]>([
    ["not ready", { ready: false }, false, { ready: false, serving: false, terminating: false }],
    ["published anyway", { ready: false }, true, { ready: true, serving: false }],
    [
      "ending but serving",
      { deleting: true },
      false,
      { ready: false, serving: true, terminating: true },
    ],
    ["without an address", { ip: "" }, false, undefined],
    ["ended", { phase: "Succeeded" }, false, undefined],
  ])("a pod that is %s", (_, traits, publishNotReadyAddresses, wanted) => {
    const service = { ...SERVICE, spec: { ...SERVICE.spec, publishNotReadyAddresses } };
    const conditions = build(service, [pod("a", traits)])[0]?.endpoints[0]?.conditions;
    if (wanted === undefined) expect(conditions).toBeUndefined();
    else expect(conditions).toMatchObject(wanted);
  });

  test("pods with other numbers behind a name are another group", () => {
    const groups = build(SERVICE, [pod("a"), pod("b", { ip: "192.0.2.11", port: 9090 })]);
    expect(groups.map(({ ports }) => ports[0]?.port)).toEqual([8080, 9090]);
  });

  test("a pod has a hostname if its subdomain is the service", () => {
    const named = pod("a", { spec: { hostname: "db-0", subdomain: "web" } });
    expect(build(SERVICE, [named])[0]?.endpoints[0]?.hostname).toBe("db-0");
  });
});

/** Carries a plan out, as the server would. */
function apply(slices: EndpointSlice[], plan: SlicePlan): EndpointSlice[] {
  const kept = slices.filter((slice) => !plan.remove.includes(slice));
  const updated = kept.map(
    (slice) => plan.update.find(({ metadata }) => metadata.name === slice.metadata.name) ?? slice,
  );
  const names = new Set(slices.map(({ metadata }) => metadata.name));
  const created = plan.create.map((slice, index) => {
    const name = `web-${names.size + index}`;
    return { ...slice, metadata: { ...slice.metadata, name } };
  });
  return [...updated, ...created];
}

function count(plan: SlicePlan): number[] {
  return [plan.create.length, plan.update.length, plan.remove.length];
}

function pods(from: number, to: number, traits: Traits = {}): Pod[] {
  return Array.from({ length: to - from }, (_, i) =>
    pod(`p${from + i}`, { ip: `192.0.2.${1_000 + from + i}`, ...traits }),
  );
}

describe("slices", () => {
  test("carry the labels and the owner of Kubernetes' slices", () => {
    const { create } = planSlices(SERVICE, build(SERVICE, [pod("a")]), []);
    expect(create).toMatchObject([
      {
        metadata: {
          generateName: "web-",
          labels: {
            team: "a",
            "kubernetes.io/service-name": "web",
            "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
          },
          ownerReferences: [{ kind: "Service", name: "web", uid: "s", controller: true }],
        },
        addressType: "IPv4",
      },
    ]);
  });

  test("hold 100 endpoints, and change as little as possible", () => {
    const first = planSlices(SERVICE, build(SERVICE, pods(0, 150)), []);
    expect(first.create.map(({ endpoints }) => endpoints?.length)).toEqual([100, 50]);
    const slices = apply([], first);
    const steps: [string, Pod[], number[]][] = [
      ["nothing changed", pods(0, 150), [0, 0, 0]],
      ["shuffled", pods(0, 150).toReversed(), [0, 0, 0]],
      ["one more", pods(0, 151), [0, 1, 0]],
      ["many more", pods(0, 201), [1, 1, 0]],
      ["one not ready", [...pods(0, 149), ...pods(149, 150, { ready: false })], [0, 1, 0]],
      ["the second slice is empty", pods(0, 100), [0, 0, 1]],
      ["none", [], [0, 1, 1]],
    ];
    for (const [what, now, wanted] of steps) {
      const plan = planSlices(SERVICE, build(SERVICE, now), slices);
      expect([what, count(plan)]).toEqual([what, wanted]);
      const again = planSlices(SERVICE, build(SERVICE, now), apply(slices, plan));
      expect([what, count(again)]).toEqual([what, [0, 0, 0]]);
    }
  });

  test("a service without pods has one empty slice, replaced by the first real one", () => {
    const empty = apply([], planSlices(SERVICE, [], []));
    expect(empty).toMatchObject([{ endpoints: [], ports: [] }]);
    expect(count(planSlices(SERVICE, [], empty))).toEqual([0, 0, 0]);
    expect(count(planSlices(SERVICE, build(SERVICE, [pod("a")]), empty))).toEqual([1, 0, 1]);
  });

  test("follow the labels of the service", () => {
    const groups = build(SERVICE, [pod("a")]);
    const slices = apply([], planSlices(SERVICE, groups, []));
    const relabelled = { ...SERVICE, metadata: { ...SERVICE.metadata, labels: { team: "b" } } };
    const plan = planSlices(relabelled, groups, slices);
    expect(plan.update[0]?.metadata.labels).toMatchObject({ team: "b" });
  });
});
