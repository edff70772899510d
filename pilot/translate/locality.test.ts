import { describe, expect, test } from "@jest/globals";
import { DEFAULT_MESH, type MeshConfig } from "#pilot/model/mesh-config.ts";
import type { Endpoint, Locality, Service } from "#pilot/model/object.ts";
import type { OutboundScope } from "#pilot/model/scope.ts";
import type { TrafficPolicy } from "#crds/types/networking-v1.ts";
import { arrange } from "./locality.ts";
import { localitySetting, placeFrom, placeText } from "./locality-setting.ts";

const NOTICED: TrafficPolicy = { outlierDetection: {} };

function place(text: string): Locality {
  const [region = "", zone = "", subZone = ""] = text.split("/");
  return { region, zone, subZone };
}

function endpoint(locality: string, labels: Record<string, string> = {}, more = {}): Endpoint {
  return {
    address: locality,
    ports: { http: 80 },
    health: "healthy",
    labels,
    locality: place(locality),
    network: "",
    weight: 1,
    serviceAccount: "",
    meshTls: false,
    workload: "",
    namespace: "default",
    ...more,
  };
}

function client(locality: string, labels = {}, more = {}): OutboundScope {
  return {
    kind: "outbound",
    key: "" as OutboundScope["key"],
    proxyType: "sidecar",
    namespace: "default",
    labels,
    network: "",
    cluster: "",
    locality: place(locality),
    node: "",
    ...more,
  };
}

interface Case {
  readonly policy?: TrafficPolicy;
  readonly mesh?: Partial<MeshConfig>;
  readonly prefers?: Service["prefers"];
  readonly from: OutboundScope;
  readonly endpoints: readonly Endpoint[];
}

/** `locality: priority×weight`, in their order. */
function seen({ policy = {}, mesh = {}, prefers, from, endpoints }: Case): string[] {
  const service = { prefers } as Service;
  const setting = localitySetting(policy, service, { ...DEFAULT_MESH, ...mesh });
  const members = endpoints.map((one) => ({
    endpoint: one,
    told: {
      address: one.address,
      port: 80,
      weight: one.weight,
      health: "healthy" as const,
      workload: "",
      meshTls: false,
    },
  }));
  return arrange(members, setting, placeFrom(placeText([setting], from, false))).map(
    (one) => `${one.region}/${one.zone}/${one.subZone}: ${one.priority}×${one.weight}`,
  );
}

const SPREAD = ["south/c/1", "north/a/1", "north/a/2", "north/b/1", "north/a/1"].map((text) =>
  endpoint(text),
);

describe("priorities by place", () => {
  test("don't count where failures aren't noticed", () => {
    const all = ["north/a/1: 0×2", "north/a/2: 0×1", "north/b/1: 0×1", "south/c/1: 0×1"];
    expect(seen({ from: client("north/a/1"), endpoints: SPREAD })).toEqual(all);
  });

  test("put the own sub-zone first, then zone, region, all others", () => {
    expect(seen({ policy: NOTICED, from: client("north/a/1"), endpoints: SPREAD })).toEqual([
      "north/a/1: 0×2",
      "north/a/2: 1×1",
      "north/b/1: 2×1",
      "south/c/1: 3×1",
    ]);
  });

  test("leave no gap where a step has no endpoints", () => {
    expect(seen({ policy: NOTICED, from: client("south/d/1"), endpoints: SPREAD })).toEqual([
      "south/c/1: 0×1",
      "north/a/1: 1×2",
      "north/a/2: 1×1",
      "north/b/1: 1×1",
    ]);
  });

  test("prefer the region to fail over to among others", () => {
    const policy: TrafficPolicy = {
      ...NOTICED,
      loadBalancer: { localityLbSetting: { failover: [{ from: "west", to: "south" }] } },
    };
    expect(seen({ policy, from: client("west/e/1"), endpoints: SPREAD })).toEqual([
      "south/c/1: 0×1",
      "north/a/1: 1×2",
      "north/a/2: 1×1",
      "north/b/1: 1×1",
    ]);
  });

  test("are switched off by the rule, and on by it where the mesh has them off", () => {
    const off: TrafficPolicy = {
      ...NOTICED,
      loadBalancer: { localityLbSetting: { enabled: false } },
    };
    const on: TrafficPolicy = { ...NOTICED, loadBalancer: { localityLbSetting: {} } };
    const from = client("south/c/1");
    const mesh = { localityLb: { enabled: false } };
    const flat = seen({ from, endpoints: SPREAD });
    expect(seen({ policy: off, from, endpoints: SPREAD })).toEqual(flat);
    expect(seen({ policy: NOTICED, mesh, from, endpoints: SPREAD })).toEqual(flat);
    expect(seen({ policy: on, mesh, from, endpoints: SPREAD })[0]).toBe("south/c/1: 0×1");
  });
});

describe("priorities by label", () => {
  const labels = (...names: string[]): TrafficPolicy => ({
    ...NOTICED,
    loadBalancer: { localityLbSetting: { failoverPriority: names } },
  });

  test("count the labels in common, in their order", () => {
    const endpoints = [
      endpoint("a", { rack: "r1", row: "1" }),
      endpoint("b", { rack: "r1", row: "2" }),
      endpoint("c", { rack: "r2", row: "1" }),
    ];
    const from = client("x", { rack: "r1", row: "1" });
    expect(seen({ policy: labels("rack", "row"), from, endpoints })).toEqual([
      "a//: 0×1",
      "b//: 1×1",
      "c//: 2×1",
    ]);
  });

  test("split a locality, whose parts have weights of their own", () => {
    const endpoints = [
      endpoint("a", { version: "v1" }, { weight: 3 }),
      endpoint("a", { version: "v2" }, { weight: 4 }),
    ];
    expect(seen({ policy: labels("version=v2"), from: client(""), endpoints })).toEqual([
      "a//: 0×4",
      "a//: 1×3",
    ]);
  });

  test("put other networks after everything else", () => {
    const endpoints = [
      endpoint("north/a", {}, { network: "net-2" }),
      endpoint("north/b", {}, { network: "net-1" }),
      endpoint("south/a", {}, { network: "net-2" }),
    ];
    const policy = labels("topology.istio.io/network", "topology.kubernetes.io/region");
    const from = client("north/a", {}, { network: "net-1" });
    expect(seen({ policy, from, endpoints })).toEqual([
      "north/b/: 0×1",
      "north/a/: 1×1",
      "south/a/: 2×1",
    ]);
  });

  test("are refined by regions where both are given", () => {
    const policy: TrafficPolicy = {
      ...NOTICED,
      loadBalancer: {
        localityLbSetting: {
          failoverPriority: ["rack"],
          failover: [{ from: "north", to: "west" }],
        },
      },
    };
    const endpoints = ["south", "west", "north"].map((text) => endpoint(text, { rack: "r1" }));
    expect(seen({ policy, from: client("north", { rack: "r1" }), endpoints })).toEqual([
      "north//: 0×1",
      "west//: 1×1",
      "south//: 2×1",
    ]);
  });
});

describe("a service that prefers near endpoints", () => {
  const near = endpoint("north/a", {}, { node: "n1" });
  const endpoints = [endpoint("south/c"), near, endpoint("north/a", {}, { node: "n2" })];

  test("needs no rule", () => {
    const from = client("north/a");
    expect(seen({ prefers: "zone", from, endpoints })).toEqual(["north/a/: 0×2", "south/c/: 1×1"]);
  });

  test("may mean the same node", () => {
    const from = client("north/a", {}, { node: "n1" });
    expect(seen({ prefers: "node", from, endpoints })).toEqual([
      "north/a/: 0×1",
      "north/a/: 1×1",
      "south/c/: 2×1",
    ]);
  });
});

describe("shares", () => {
  const shares = (to: Record<string, number>): TrafficPolicy => ({
    loadBalancer: { localityLbSetting: { distribute: [{ from: "north/*", to }] } },
  });

  test("are split among what a pattern matches, by weight; the rest gets nothing", () => {
    const policy = shares({ "north/a/*": 80, "north/b/1": 20 });
    expect(seen({ policy, from: client("north/z/9"), endpoints: SPREAD })).toEqual([
      "north/a/1: 0×54",
      "north/a/2: 0×27",
      "north/b/1: 0×20",
    ]);
  });

  test("go to the most specific pattern, whatever the order", () => {
    const policy = shares({ "*": 10, "north/b/*": 90 });
    expect(seen({ policy, from: client("north/a/1"), endpoints: SPREAD })).toEqual([
      "north/a/1: 0×5",
      "north/a/2: 0×3",
      "north/b/1: 0×90",
      "south/c/1: 0×3",
    ]);
  });

  test("are for clients of their place only", () => {
    const policy = shares({ "south/*": 100 });
    const flat = seen({ from: client(""), endpoints: SPREAD });
    expect(seen({ policy, from: client("south/c/1"), endpoints: SPREAD })).toEqual(flat);
  });
});

test("zones share the traffic of their region", () => {
  const policy: TrafficPolicy = {
    loadBalancer: { zoneAwareLbSetting: { failover: [{ from: "north", to: "west" }] } },
  };
  const endpoints = ["west/e", "south/c", "north/b", "north/a"].map((text) => endpoint(text));
  expect(seen({ policy, from: client("north/a"), endpoints })).toEqual([
    "north/a/: 0×1",
    "north/b/: 0×1",
    "west/e/: 1×1",
    "south/c/: 2×1",
  ]);
});

describe("what of a place is looked at", () => {
  const read = (policy: TrafficPolicy): string => {
    const setting = localitySetting(policy, {} as Service, DEFAULT_MESH);
    return placeText([setting], client("north/a", { rack: "r1", app: "x" }), false);
  };

  test("is nothing without a reason", () => {
    expect(read({})).toBe("");
    const named: TrafficPolicy = {
      ...NOTICED,
      loadBalancer: { localityLbSetting: { failoverPriority: ["rack=r9"] } },
    };
    expect(read(named)).toBe("");
  });

  test("is the labels that are named", () => {
    const named: TrafficPolicy = {
      ...NOTICED,
      loadBalancer: { localityLbSetting: { failoverPriority: ["rack"] } },
    };
    expect(read(named)).toBe('[[],[["rack","r1"]],""]');
  });
});
