import { describe, expect, test } from "@jest/globals";
import {
  cellsOf,
  kindNamed,
  prepared,
  problemsOnCreate,
  problemsOnUpdate,
} from "#cluster/apiserver/kinds/testing.ts";

const CREATED = "2026-01-02T03:00:00Z";
const named = (name: string): object => ({ metadata: { name, creationTimestamp: CREATED } });

describe("Services", () => {
  const SERVICE = kindNamed("Service");
  const service = (spec: object, rest: object = {}): object => ({ ...named("web"), spec, ...rest });

  test("get Kubernetes' defaults", () => {
    const { spec } = prepared(
      SERVICE,
      service({ ports: [{ port: 80 }], selector: { app: "web" } }),
    );
    expect(spec).toEqual({
      ports: [{ port: 80, protocol: "TCP", targetPort: 80 }],
      selector: { app: "web" },
      type: "ClusterIP",
      sessionAffinity: "None",
      internalTrafficPolicy: "Cluster",
      ipFamilies: ["IPv4"],
      ipFamilyPolicy: "SingleStack",
    });
  });

  test("keep their address and node ports when an update leaves them out", () => {
    const before = prepared(
      SERVICE,
      service({
        type: "NodePort",
        clusterIP: "192.0.2.9",
        clusterIPs: ["192.0.2.9"],
        ports: [{ port: 80, nodePort: 30080 }],
      }),
    );
    const after = prepared(SERVICE, service({ type: "NodePort", ports: [{ port: 80 }] }), before);
    expect(after.spec).toMatchObject({
      clusterIP: "192.0.2.9",
      clusterIPs: ["192.0.2.9"],
      ports: [{ port: 80, nodePort: 30080 }],
    });
    const plain = prepared(SERVICE, service({ ports: [{ port: 80, nodePort: 30080 }] }), before);
    expect(plain.spec).toMatchObject({ ports: [{ port: 80, protocol: "TCP", targetPort: 80 }] });
    expect(JSON.stringify(plain.spec)).not.toContain("nodePort");
  });

  test.each<[string, object, string]>([
    ["no ports", service({}), "spec.ports: Required value"],
    [
      "two ports without names",
      service({ ports: [{ port: 80 }, { port: 81, name: "b" }] }),
      "spec.ports[0].name: Required value",
    ],
    [
      "a port twice",
      service({
        ports: [
          { port: 80, name: "a" },
          { port: 80, name: "b" },
        ],
      }),
      'spec.ports[1]: Duplicate value: {"protocol":"TCP","port":80}',
    ],
    [
      "a port out of range",
      service({ ports: [{ port: 0 }] }),
      "spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive",
    ],
    [
      "an ExternalName without a name",
      service({ type: "ExternalName" }),
      "spec.externalName: Required value",
    ],
    [
      "a type that does not exist",
      service({ type: "Magic", ports: [{ port: 80 }] }),
      'spec.type: Unsupported value: "Magic": supported values: "ClusterIP", "ExternalName", "LoadBalancer", "NodePort"',
    ],
  ])("with %s are refused", (_name, given, expected) => {
    expect(problemsOnCreate(SERVICE, given)).toContain(expected);
  });

  test("cannot change their address", () => {
    const ports = [{ port: 80 }];
    const before = service({ clusterIP: "192.0.2.9", ports });
    expect(problemsOnUpdate(SERVICE, before, service({ clusterIP: "192.0.2.8", ports }))).toEqual([
      'spec.clusterIPs[0]: Invalid value: ["192.0.2.8"]: may not change once set',
    ]);
  });

  test.each<[object, object]>([
    [
      service({
        type: "ClusterIP",
        clusterIP: "192.0.2.9",
        ports: [{ port: 80, protocol: "TCP" }],
      }),
      {
        Type: "ClusterIP",
        "Cluster-IP": "192.0.2.9",
        "External-IP": "<none>",
        "Port(s)": "80/TCP",
      },
    ],
    [
      service(
        { type: "LoadBalancer", clusterIP: "192.0.2.9", ports: [{ port: 80, nodePort: 30080 }] },
        { status: { loadBalancer: { ingress: [{ ip: "198.51.100.1" }] } } },
      ),
      { "External-IP": "198.51.100.1", "Port(s)": "80:30080/TCP" },
    ],
    [
      service({ type: "LoadBalancer", ports: [] }),
      { "External-IP": "<pending>", "Port(s)": "<none>" },
    ],
    [
      service({ type: "ClusterIP", clusterIP: "None" }),
      { "Cluster-IP": "None", Selector: "<none>" },
    ],
    [
      service({ type: "ExternalName", externalName: "example.org" }),
      { "Cluster-IP": "<none>", "External-IP": "example.org" },
    ],
  ])("print %#", (object, cells) => {
    expect(cellsOf(SERVICE, object)).toMatchObject(cells);
  });
});

describe("Secrets and ConfigMaps", () => {
  const SECRET = kindNamed("Secret");
  const CONFIG_MAP = kindNamed("ConfigMap");

  test("stringData becomes data", () => {
    const given = { ...named("a"), data: { old: "eA==" }, stringData: { key: "välue", old: "y" } };
    const object = prepared(SECRET, given);
    expect(object).toMatchObject({ type: "Opaque", data: { old: "eQ==", key: "dsOkbHVl" } });
    expect(object).not.toHaveProperty("stringData");
  });

  test.each<[string, object, string]>([
    [
      "a bad key",
      { ...named("a"), data: { "a b": "eA==" } },
      'data[a b]: Invalid value: "a b": a valid config key must consist of alphanumeric characters',
    ],
    ["bytes that are no base64", { ...named("a"), data: { a: "%" } }, "data.a: Invalid value"],
    [
      "a TLS secret without its key",
      { ...named("a"), type: "kubernetes.io/tls", data: { "tls.crt": "" } },
      "data[tls.key]: Required value",
    ],
    [
      "too much data",
      { ...named("a"), data: { a: "A".repeat(1_500_000) } },
      "data: Too long: may not be more than 1048576 bytes",
    ],
  ])("a Secret with %s is refused", (_name, given, expected) => {
    const problems = problemsOnCreate(SECRET, given);
    expect(problems.some((problem) => problem.startsWith(expected))).toBe(true);
  });

  test("a Secret's type is for ever, and immutable means it", () => {
    const before = { ...named("a"), type: "x", immutable: true, data: { a: "eA==" } };
    expect(problemsOnUpdate(SECRET, before, { ...before, type: "y" })).toEqual([
      'type: Invalid value: "y": field is immutable',
    ]);
    expect(problemsOnUpdate(SECRET, before, { ...before, data: {} })).toEqual([
      "data: Forbidden: field is immutable when `immutable` is set",
    ]);
    const map = { ...named("a"), immutable: true, data: { a: "x" } };
    expect(problemsOnUpdate(CONFIG_MAP, map, { ...map, immutable: false })).toEqual([
      "immutable: Forbidden: field is immutable when `immutable` is set",
    ]);
  });

  test("print how many keys they have", () => {
    const map = { ...named("a"), data: { a: "" }, binaryData: { b: "" } };
    expect(cellsOf(CONFIG_MAP, map)).toEqual({ Name: "a", Data: 2, Age: "4m5s" });
    expect(cellsOf(SECRET, { ...named("a"), type: "t" })).toMatchObject({ Type: "t", Data: 0 });
  });
});

describe("Namespaces", () => {
  const NAMESPACE = kindNamed("Namespace");

  test("are active, labelled by name and held by a finalizer", () => {
    expect(prepared(NAMESPACE, named("other"))).toMatchObject({
      metadata: { labels: { "kubernetes.io/metadata.name": "other" } },
      spec: { finalizers: ["kubernetes"] },
      status: { phase: "Active" },
    });
  });
});

describe("Nodes", () => {
  const NODE = kindNamed("Node");

  test("print readiness, roles and addresses", () => {
    const node = {
      metadata: { name: "n1", labels: { "node-role.kubernetes.io/control-plane": "" } },
      spec: { unschedulable: true },
      status: {
        conditions: [{ type: "Ready", status: "True" }],
        addresses: [{ type: "InternalIP", address: "192.0.2.1" }],
        nodeInfo: {
          kubeletVersion: "v1",
          osImage: "Debian",
          kernelVersion: "6",
          containerRuntimeVersion: "crun",
        },
      },
    };
    expect(cellsOf(NODE, node)).toEqual({
      Name: "n1",
      Status: "Ready,SchedulingDisabled",
      Roles: "control-plane",
      Age: "<unknown>",
      Version: "v1",
      "Internal-IP": "192.0.2.1",
      "External-IP": "<none>",
      "OS-Image": "Debian",
      "Kernel-Version": "6",
      "Container-Runtime": "crun",
    });
  });

  test("come with their status, as a kubelet registers them", () => {
    const given = { ...named("n1"), status: { phase: "Running" } };
    expect(prepared(NODE, given).status).toEqual({ phase: "Running" });
  });
});

describe("Events", () => {
  const EVENT = kindNamed("Event");
  const event = {
    metadata: { name: "e", namespace: "default" },
    involvedObject: { kind: "Pod", name: "p", namespace: "default" },
    reason: "Started",
    type: "Normal",
    message: "Started container app\n",
    count: 2,
    source: { component: "kubelet", host: "n1" },
    firstTimestamp: CREATED,
    lastTimestamp: "2026-01-02T03:04:00Z",
  };

  test("print as kubectl expects", () => {
    expect(cellsOf(EVENT, event)).toEqual({
      "Last Seen": "5s",
      Type: "Normal",
      Reason: "Started",
      Object: "pod/p",
      Subobject: "",
      Source: "kubelet, n1",
      Message: "Started container app",
      "First Seen": "4m5s",
      Count: 2,
      Name: "e",
    });
  });

  test("can be selected by what they are about", () => {
    expect(EVENT.strategy.selectableFields?.(prepared(EVENT, event))).toMatchObject({
      "involvedObject.name": "p",
      "involvedObject.kind": "Pod",
      type: "Normal",
      reason: "Started",
      source: "kubelet",
    });
  });
});

describe("Endpoints", () => {
  test("print the first three addresses", () => {
    const addresses = ["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"].map((ip) => ({ ip }));
    const object = { ...named("web"), subsets: [{ addresses, ports: [{ port: 80 }] }] };
    expect(cellsOf(kindNamed("Endpoints"), object)).toMatchObject({
      Endpoints: "192.0.2.1:80,192.0.2.2:80,192.0.2.3:80 + 1 more...",
    });
  });
});
