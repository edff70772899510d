import { describe, expect, test } from "@jest/globals";
import {
  at,
  elsewhere,
  forwarded,
  loadBalancer,
  NODE,
  service,
  slice,
  status,
  world,
} from "#cluster/proxy/testing/world.ts";
import { frontendsOf } from "./frontend.ts";

describe("a ClusterIP", () => {
  test("spreads over its ready endpoints, also from the node and the host", async () => {
    const { send } = await world(service({}), [slice([at("10.1.1.2"), at("10.1.2.3", elsewhere)])]);
    expect(send({}, () => 0)).toEqual(forwarded("10.1.1.2:8080"));
    expect(send({}, () => 1)).toEqual(forwarded("10.1.2.3:8080"));
    expect(send({ from: "node", source: "192.0.2.11" })).toEqual(forwarded("10.1.1.2:8080"));
    expect(send({ from: "outside", source: "192.0.2.1" })).toEqual(
      forwarded("10.1.1.2:8080", true),
    );
    expect(send({ port: 81 })).toEqual({ kind: "passed" });
  });

  test("lets a pod reach itself by masquerading", async () => {
    const { send } = await world(service({}), [slice([at("10.1.1.2")])]);
    expect(send({ source: "10.1.1.2" })).toEqual(forwarded("10.1.1.2:8080", true));
  });

  test("rejects when there is no endpoint, and when all are unready", async () => {
    const unready = at("10.1.1.2", { conditions: { ready: false } });
    expect((await world(service({}), [])).send({})).toEqual({ kind: "rejected" });
    expect((await world(service({}), [slice([unready])])).send({})).toEqual({ kind: "rejected" });
  });

  test("uses terminating endpoints only while no ready one is left", async () => {
    const ending = { ready: false, serving: true, terminating: true };
    const terminating = at("10.1.1.2", { conditions: ending });
    const { send, set } = await world(service({}), [slice([terminating])]);
    expect(send({})).toEqual(forwarded("10.1.1.2:8080"));
    await set(service({}), [slice([terminating, at("10.1.1.3")])]);
    expect([0, 1].map((n) => send({}, (choices) => n % choices))).toEqual([
      forwarded("10.1.1.3:8080"),
      forwarded("10.1.1.3:8080"),
    ]);
  });

  test("with internalTrafficPolicy Local uses this node's endpoints or drops", async () => {
    const local = service({ internalTrafficPolicy: "Local" });
    const { send, set } = await world(local, [slice([at("10.1.1.2"), at("10.1.2.3", elsewhere)])]);
    expect(send({}, (choices) => choices - 1)).toEqual(forwarded("10.1.1.2:8080"));
    await set(local, [slice([at("10.1.2.3", elsewhere)])]);
    expect(send({})).toEqual({ kind: "dropped" });
  });

  test("keeps a client with its endpoint under session affinity", async () => {
    const sticky = service({ sessionAffinity: "ClientIP" });
    const slices = [slice([at("10.1.1.2"), at("10.1.1.3")])];
    const { send, set } = await world(sticky, slices);
    expect(send({}, () => 1)).toEqual(forwarded("10.1.1.3:8080"));
    expect(send({}, () => 0)).toEqual(forwarded("10.1.1.3:8080"));
    expect(send({ source: "10.1.1.8" }, () => 0)).toEqual(forwarded("10.1.1.2:8080"));
    await set(sticky, [slice([at("10.1.1.3"), at("10.1.1.4")])]);
    expect(send({}, () => 1)).toEqual(forwarded("10.1.1.3:8080"));
  });

  test("finds endpoints by the port's name and protocol, over all slices", async () => {
    const ports = [
      { name: "http", port: 80 },
      { name: "dns", port: 53, protocol: "UDP" },
    ];
    const { send } = await world(service({ ports }), [
      slice([at("10.1.1.2")], [{ name: "http", port: 8080 }]),
      { ...slice([at("10.1.1.3")]), ports: [{ name: "dns", port: 5353, protocol: "UDP" }] },
    ]);
    expect(send({})).toEqual(forwarded("10.1.1.2:8080"));
    expect(send({ protocol: "udp", port: 53 })).toEqual(forwarded("10.1.1.3:5353"));
    expect(send({ protocol: "udp" })).toEqual({ kind: "passed" });
  });
});

describe("from outside", () => {
  const balanced = { ...service(loadBalancer), status };
  const local = { ...service({ ...loadBalancer, externalTrafficPolicy: "Local" }), status };
  const host = { from: "outside" as const, source: "192.0.2.1" };

  test("NodePort, LoadBalancer and external addresses lead to the endpoints", async () => {
    const spec = { ...loadBalancer, externalIPs: ["203.0.113.5"] };
    const { send } = await world({ ...service(spec), status }, [slice([at("10.1.1.2")])]);
    const destinations = [
      { destination: "192.0.2.11", port: 30080 },
      { destination: "198.51.100.1" },
      { destination: "203.0.113.5" },
    ];
    for (const to of destinations) {
      expect(send({ ...host, ...to })).toEqual(forwarded("10.1.1.2:8080", true));
    }
    expect(send({ ...host, destination: "192.0.2.11" })).toEqual({ kind: "passed" });
  });

  test("externalTrafficPolicy Local keeps the client's address on this node's endpoints", async () => {
    const { send } = await world(local, [slice([at("10.1.1.2"), at("10.1.2.3", elsewhere)])]);
    const toNode = { destination: "192.0.2.11", port: 30080 };
    const last = (choices: number) => choices - 1;
    expect(send({ ...host, ...toNode }, last)).toEqual(forwarded("10.1.1.2:8080"));
    expect(send({ ...host, destination: "198.51.100.1" })).toEqual(forwarded("10.1.1.2:8080"));
    expect(send({ destination: "198.51.100.1" }, last)).toEqual(forwarded("10.1.2.3:8080"));
  });

  test("without local endpoints a NodePort drops, a LoadBalancer address goes on", async () => {
    const { send } = await world(local, [slice([at("10.1.2.3", elsewhere)])]);
    const toNode = { destination: "192.0.2.11", port: 30080 };
    expect(send({ ...host, ...toNode })).toEqual({ kind: "dropped" });
    expect(send({ ...host, destination: "198.51.100.1" })).toEqual(
      forwarded("10.1.2.3:8080", true),
    );
  });

  test("loadBalancerSourceRanges shut others out", async () => {
    const limited = { ...service({ ...loadBalancer, loadBalancerSourceRanges: ["10.0.0.0/8"] }) };
    const { send } = await world({ ...limited, status }, [slice([at("10.1.1.2")])]);
    expect(send({ ...host, destination: "198.51.100.1" })).toEqual({ kind: "dropped" });
    expect(send({ destination: "198.51.100.1" })).toEqual(forwarded("10.1.1.2:8080"));
    expect(send({ ...host })).toEqual(forwarded("10.1.1.2:8080", true));
    expect(balanced.status).toBe(status);
  });
});

describe("Services that the proxy leaves alone", () => {
  test.each([
    ["headless", service({ clusterIP: "None" })],
    ["ExternalName", service({ type: "ExternalName", externalName: "example.org" })],
    [
      "of another proxy",
      {
        ...service({}),
        metadata: {
          name: "web",
          namespace: "default",
          labels: { "service.kubernetes.io/service-proxy-name": "other" },
        },
      },
    ],
    ["without an address yet", service({ clusterIP: undefined })],
  ])("%s", (_name, skipped) => {
    expect(frontendsOf({ service: skipped, slices: [slice([at("10.1.1.2")])], ...NODE })).toEqual(
      [],
    );
  });
});
