import { describe, expect, test } from "@jest/globals";
import type { Service, ServiceSpec } from "#cluster/api/generated/core-v1.ts";
import { allocate, parseRange } from "./allocate.ts";

/** Six usable addresses: .1 to .6. */
const RANGE = parseRange("192.0.2.0/29");

function service(name: string, ip?: string, spec: Partial<ServiceSpec> = {}): Service {
  return {
    metadata: { namespace: "default", name, creationTimestamp: "2026-01-01T00:00:00Z" },
    spec: { type: "LoadBalancer", ...spec },
    status: ip === undefined ? {} : { loadBalancer: { ingress: [{ ip }] } },
  };
}

function addresses(services: Service[]): Record<string, string> {
  const allocation = allocate(services, RANGE);
  const entries = [...allocation.addresses, ...allocation.refused];
  return Object.fromEntries(entries.map(([key, value]) => [key.slice("default/".length), value]));
}

describe("addresses of load balancers", () => {
  test.each<[string, Service[], Record<string, string>]>([
    ["the lowest free ones", [service("b"), service("a")], { a: "192.0.2.1", b: "192.0.2.2" }],
    ["kept", [service("a"), service("b", "192.0.2.1")], { a: "192.0.2.2", b: "192.0.2.1" }],
    [
      "the older keeps what two claim",
      [service("b", "192.0.2.3"), service("a", "192.0.2.3")],
      { a: "192.0.2.3", b: "192.0.2.1" },
    ],
    ["outside the range: another", [service("a", "198.51.100.1")], { a: "192.0.2.1" }],
    [
      "as asked for, before others choose",
      [service("a"), service("b", undefined, { loadBalancerIP: "192.0.2.1" })],
      { a: "192.0.2.2", b: "192.0.2.1" },
    ],
    [
      "a changed wish gives up the old",
      [service("a", "192.0.2.1", { loadBalancerIP: "192.0.2.5" })],
      { a: "192.0.2.5" },
    ],
    [
      "refused when in use",
      [service("a", "192.0.2.1"), service("b", undefined, { loadBalancerIP: "192.0.2.1" })],
      { a: "192.0.2.1", b: "loadBalancerIP 192.0.2.1 is in use" },
    ],
    [
      "refused when not ours",
      [service("a", undefined, { loadBalancerIP: "8.8.8.8" })],
      { a: "loadBalancerIP 8.8.8.8 is not in the range" },
    ],
    ["not for other types", [service("a", undefined, { type: "ClusterIP" })], {}],
    ["not for other classes", [service("a", undefined, { loadBalancerClass: "other" })], {}],
  ])("%s", (_, services, wanted) => {
    expect(addresses(services)).toEqual(wanted);
    expect(addresses(services.toReversed())).toEqual(wanted);
  });

  test("run out", () => {
    const all = Array.from({ length: 7 }, (_, i) => service(`s${i}`));
    const given = addresses(all);
    expect(new Set(Object.values(given)).size).toBe(7);
    expect(given.s6).toBe("no address is free");
  });

  test("a range must be one", () => {
    expect(() => parseRange("192.0.2.0")).toThrow("loadBalancerCidr 192.0.2.0: not an IPv4 range");
    expect(() => parseRange("300.0.2.0/24")).toThrow("not an IPv4 range");
  });
});
