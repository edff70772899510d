/** Who shares what where places of clients count. */

import { describe, expect, test } from "@jest/globals";
import type { ScopeIr } from "#pilot/ir/scope-ir.ts";
import { createPushContext } from "#pilot/model/push-context.ts";
import { type OutboundScope, scopesOf } from "#pilot/model/scope.ts";
import { type Proxy, parseProxy } from "#pilot/model/proxy.ts";
import { Registry } from "#pilot/registry/registry.ts";
import { translateScope } from "#pilot/translate/translate.ts";
import { parseObjects } from "./pilot-world.ts";

const SERVICES = ["a", "b"]
  .map(
    (name) => `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: ${name}, namespace: default }
spec:
  hosts: [${name}.example.org]
  ports: [{ number: 80, name: http, protocol: HTTP }]
  resolution: STATIC
  endpoints:
  - { address: 192.0.2.1, locality: north/a }
  - { address: 192.0.2.2, locality: south/c }
`,
  )
  .join("---");

const NOTICED = `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: a, namespace: default }
spec: { host: a.example.org, trafficPolicy: { outlierDetection: { consecutive5xxErrors: 1 } } }
`;

const NEAR = `
apiVersion: v1
kind: Service
metadata: { name: near, namespace: default }
spec: { clusterIP: 192.0.2.9, internalTrafficPolicy: Local, ports: [{ name: http, port: 80 }] }
`;

function proxyIn(region: string, zone: string, node = "n1"): Proxy {
  const parsed = parseProxy({
    id: "sidecar~192.0.2.10~client.default~default.svc.cluster.local",
    metadata: { NODE_NAME: node },
    locality: { region, zone },
  });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return parsed.proxy;
}

function outboundOf(yaml: string, ...proxies: Proxy[]): { scope: OutboundScope; ir: ScopeIr }[] {
  const registry = new Registry();
  const context = createPushContext(
    parseObjects(yaml).flatMap((object) => registry.handle({ type: "upsert", object })),
  );
  return proxies.map((proxy) => {
    const scope = scopesOf(context, proxy).outbound;
    return { scope, ir: translateScope(context, scope) };
  });
}

function endpointsOf({ ir }: { ir: ScopeIr }, host: string): ScopeIr["endpoints"][number] {
  const found = ir.endpoints.find((one) => one.cluster === `outbound|80||${host}`);
  if (found === undefined) throw new Error(`no endpoints of ${host}`);
  return found;
}

describe("proxies of different places", () => {
  const north = proxyIn("north", "a");
  const south = proxyIn("south", "c", "n2");

  test("are one class while nothing looks at places", () => {
    const [one, other] = outboundOf(SERVICES, north, south);
    expect(one?.scope.key).toBe(other?.scope.key);
  });

  test("get endpoints of their own where a rule looks, and share all others", () => {
    const [one, other] = outboundOf(`${SERVICES}---${NOTICED}`, north, south);
    expect(one?.scope.key).not.toBe(other?.scope.key);
    const nearest = [one!, other!].map(
      (each) => endpointsOf(each, "a.example.org").localities[0]?.region,
    );
    expect(nearest).toEqual(["north", "south"]);
    expect(endpointsOf(one!, "b.example.org")).toBe(endpointsOf(other!, "b.example.org"));
  });

  test("are divided by node only where a service wants endpoints of the own node", () => {
    const [one, neighbour, other] = outboundOf(
      `${SERVICES}---${NEAR}`,
      north,
      proxyIn("south", "c", "n1"),
      south,
    );
    expect(one?.scope.key).toBe(neighbour?.scope.key);
    expect(one?.scope.key).not.toBe(other?.scope.key);
    expect(endpointsOf(one!, "a.example.org")).toBe(endpointsOf(other!, "a.example.org"));
  });
});
