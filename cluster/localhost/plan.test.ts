import { describe, expect, test } from "@jest/globals";
import type { Service, ServicePort } from "#cluster/api/generated/core-v1.ts";
import { localhostPorts, planLocalhost, PORTS_ANNOTATION } from "./plan.ts";

function balanced(name: string, ports: ServicePort[], annotation?: string): Service {
  return {
    metadata: {
      name,
      namespace: "default",
      creationTimestamp: "2026-01-01T00:00:00Z",
      ...(annotation === undefined ? {} : { annotations: { [PORTS_ANNOTATION]: annotation } }),
    },
    spec: { type: "LoadBalancer", ports },
    status: { loadBalancer: { ingress: [{ ip: "198.51.100.1" }] } },
  };
}

function portsOf(services: Service[], unavailable: number[] = []): Record<string, object> {
  return Object.fromEntries(planLocalhost(services, new Set(unavailable)).remembered);
}

describe("localhost ports", () => {
  test("are easy to guess from the Service's", () => {
    const ports = [
      { name: "http", port: 80 },
      { name: "https", port: 443 },
      { name: "dns", port: 53 },
      { name: "mysql", port: 3306 },
      { port: 9090 },
      { name: "udp", port: 5000, protocol: "UDP" },
    ];
    expect(portsOf([balanced("a", ports)])).toEqual({
      "default/a": { http: 8080, https: 8443, dns: 8053, mysql: 3306, "9090": 9090 },
    });
  });

  test("are the next free ones when taken by another Service or program", () => {
    const http = [{ name: "http", port: 80 }];
    expect(portsOf([balanced("b", http), balanced("a", http)], [8081])).toEqual({
      "default/a": { http: 8080 },
      "default/b": { http: 8082 },
    });
  });

  test("stay what they were, also when an older Service would prefer them", () => {
    const http = [{ name: "http", port: 80 }];
    const remembering = balanced("b", http, '{"http":8080}');
    expect(portsOf([balanced("a", http), remembering])).toEqual({
      "default/a": { http: 8081 },
      "default/b": { http: 8080 },
    });
    expect(portsOf([remembering], [8080])).toEqual({ "default/b": { http: 8081 } });
  });

  test("wait for the Service's address", () => {
    const waiting = { ...balanced("a", [{ port: 80 }]), status: {} };
    expect(planLocalhost([waiting], new Set()).routes).toEqual([]);
  });

  test.each(["", "[]", "null", '{"http":"8080","x":80,"y":99999}', '{"__proto__":8080}', "{"])(
    "in an annotation that says %j are none",
    (text) => {
      expect(localhostPorts(balanced("a", [], text))).toEqual({});
    },
  );
});
