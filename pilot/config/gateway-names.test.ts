import { afterEach, beforeEach, expect, test } from "@jest/globals";
import type { Service } from "#cluster/api/generated/core-v1.ts";
import type { KubeObject } from "#cluster/api/meta.ts";
import { waitUntil } from "#cluster/client/testing/wait-until.ts";
import type { PlatformEvent } from "#pilot/registry/registry.ts";
import { GatewayNames } from "./gateway-names.ts";

let abort: AbortController;
let names: Map<string, string[]>;
let seen: PlatformEvent[];
let logged: string[];
let sink: GatewayNames;

beforeEach(() => {
  abort = new AbortController();
  names = new Map([["lb.example.org", ["192.0.2.2", "192.0.2.1"]]]);
  seen = [];
  logged = [];
  sink = new GatewayNames({
    feed: { handle: (event) => seen.push(event) },
    log: (line) => logged.push(line),
    signal: abort.signal,
    everyMs: 1,
    async resolve(name) {
      const found = names.get(name);
      if (found === undefined) throw new Error(`${name} is unknown`);
      return found;
    },
  });
});
afterEach(() => abort.abort());

function service(ingress: object[], network = "there"): KubeObject {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: {
      name: "gw",
      namespace: "default",
      labels: { "topology.istio.io/network": network },
    },
    status: { loadBalancer: { ingress } },
  };
}

function told(): (string | undefined)[] {
  const last = seen.at(-1)?.object as unknown as Service;
  return (last.status?.loadBalancer?.ingress ?? []).map(({ ip }) => ip);
}

test("names of gateways become addresses, and follow the name", async () => {
  sink.handle({ type: "upsert", object: service([{ hostname: "lb.example.org" }]) });
  await waitUntil("it is looked up", () => told().length === 2);
  expect(told()).toEqual(["192.0.2.1", "192.0.2.2"]);
  names.set("lb.example.org", ["192.0.2.3"]);
  await waitUntil("it has followed", () => told()[0] === "192.0.2.3");
  names.delete("lb.example.org");
  await waitUntil("it is told", () => logged.length > 0);
  expect(told()).toEqual(["192.0.2.3"]);
  sink.handle({ type: "delete", object: service([]) });
  expect(seen.at(-1)?.type).toBe("delete");
});

test("other Services and gateways with addresses pass as they are", () => {
  const plain = service([{ hostname: "lb.example.org" }], "");
  const numbered = service([{ ip: "192.0.2.9" }]);
  for (const object of [plain, numbered]) sink.handle({ type: "upsert", object });
  expect(seen.map(({ object }) => object)).toEqual([plain, numbered]);
});
