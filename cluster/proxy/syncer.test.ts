import { describe, expect, test } from "@jest/globals";
import type { ServiceSpec } from "#cluster/api/generated/core-v1.ts";
import { FakeNft } from "#cluster/proxy/testing/fake-nft.ts";
import {
  at,
  elsewhere,
  forwarded,
  loadBalancer,
  NODE,
  service,
  slice,
  world,
} from "#cluster/proxy/testing/world.ts";
import { frontendsOf } from "./frontend.ts";
import { Syncer } from "./syncer.ts";
import type { ServiceUpdate } from "./syncer.ts";

describe("transactions", () => {
  test("a change of one endpoint touches its elements only", async () => {
    const many = Array.from({ length: 50 }, (_, n) => at(`10.1.1.${n + 1}`, elsewhere));
    const { nft, set } = await world(service({}), [slice(many)]);
    await set(service({}), [slice(many.toSpliced(10, 1, at("10.1.1.99", elsewhere)))]);
    expect(nft.transactions.at(-1)?.map((line) => line.text)).toEqual([
      "delete element ip lateen_proxy endpoints { tcp . 10.96.0.1 . 80 . 1 }",
      "add element ip lateen_proxy endpoints { tcp . 10.96.0.1 . 80 . 1 : 10.1.1.99 . 8080 }",
    ]);
  });

  test("any sequence of changes ends where a start from nothing ends", async () => {
    const { nft, syncer, log } = await world(service({}), []);
    await syncer.apply([{ serviceKey: "default/web", frontends: [] }]);
    const random = seeded(7);
    const last = new Map<string, ServiceUpdate>();
    for (let step = 0; step < 300; step++) {
      const updates = [randomUpdate(random), randomUpdate(random)];
      for (const update of updates) last.set(update.serviceKey, update);
      await syncer.apply(updates);
    }
    expect(log).toEqual([]);
    const fresh = new FakeNft();
    await new Syncer(fresh, ["10.96.0.0/16"], () => undefined).apply([...last.values()]);
    expect(meaningOf(nft.dump())).toEqual(meaningOf(fresh.dump()));
  });

  test("after nft couldn't be run, everything is loaded anew", async () => {
    const { nft, set, send } = await world(service({}), [slice([at("10.1.1.2")])]);
    nft.broken = 1;
    await expect(set(service({}), [slice([at("10.1.1.3")])])).rejects.toThrow("could not be run");
    nft.tables.elements.clear();
    await set(service({}), [slice([at("10.1.1.3")])]);
    expect(send({})).toEqual(forwarded("10.1.1.3:8080"));
  });

  test("a Service that nft refuses is named and left out, the others are served", async () => {
    const { nft, log, set, send } = await world(service({}), [slice([at("10.1.1.2")])]);
    nft.refuse = "10.96.0.66";
    const bad = service({ clusterIP: "10.96.0.66" }, "bad");
    await set(bad, [slice([at("10.1.1.3")])]);
    expect(log.join("\n")).toContain("Service default/bad is left out until it changes");
    expect(send({})).toEqual(forwarded("10.1.1.2:8080"));
    await set(service({}), [slice([at("10.1.1.5")])]);
    expect(send({})).toEqual(forwarded("10.1.1.5:8080"));
    nft.refuse = undefined;
    await set(bad, [slice([at("10.1.1.4")])]);
    expect(send({ destination: "10.96.0.66" })).toEqual(forwarded("10.1.1.4:8080"));
  });

  test("an address that two Services want is the first one's, then the other's", async () => {
    const shared = { externalIPs: ["203.0.113.5"] };
    const a = service({ ...shared, clusterIP: "10.96.0.7" }, "a");
    const { send, set, log } = await world(service({ ...shared }), [slice([at("10.1.1.2")])]);
    await set(a, [slice([at("10.1.1.3")])]);
    expect(send({ destination: "203.0.113.5" })).toEqual(forwarded("10.1.1.3:8080"));
    await set({ ...a, spec: { type: "ExternalName" } }, []);
    expect(send({ destination: "203.0.113.5" })).toEqual(forwarded("10.1.1.2:8080"));
    expect(log).toEqual([]);
  });

  test("a lost UDP endpoint moves the flows, an added one doesn't", async () => {
    const ports = [{ name: "dns", port: 53, protocol: "UDP" }];
    const udp = service({ ports });
    const its = (...addresses: string[]) => [
      {
        ...slice(addresses.map((a) => at(a))),
        ports: [{ name: "dns", port: 53, protocol: "UDP" }],
      },
    ];
    const { nft, set } = await world(udp, its("10.1.1.2"));
    const zone = () => nft.tables.elements.get("udp_zones")?.get("10.96.0.1 . 53");
    const first = zone();
    await set(udp, its("10.1.1.2", "10.1.1.3"));
    expect(zone()).toBe(first);
    await set(udp, its("10.1.1.3"));
    expect(zone()).not.toBe(first);
  });
});

function randomUpdate(random: (choices: number) => number): ServiceUpdate {
  const number = random(6);
  const spec: Partial<ServiceSpec> = {
    ...loadBalancer,
    clusterIP: `10.96.1.${number}`,
    ports: [{ name: "http", port: 80, nodePort: 30000 + number }],
    externalIPs: random(2) === 0 ? ["203.0.113.5"] : [],
    externalTrafficPolicy: random(2) === 0 ? "Local" : "Cluster",
    sessionAffinity: random(3) === 0 ? "ClientIP" : "None",
  };
  const addresses = Array.from({ length: random(5) }, () => `10.1.1.${random(20) + 1}`);
  const endpoints = addresses.map((address) => at(address, random(2) === 0 ? elsewhere : {}));
  const object = service(spec, `s${number}`);
  const isGone = random(5) === 0;
  return {
    serviceKey: `default/s${number}`,
    frontends: isGone ? [] : frontendsOf({ service: object, slices: [slice(endpoints)], ...NODE }),
  };
}

/**
 * Without what depends on the past: in which slot an endpoint is, and the shared chains of times
 * with more endpoints.
 */
function meaningOf(dump: Record<string, string>): string[] {
  return Object.entries(dump)
    .filter(([key]) => !/^chain (outside_)?slots_/.test(key))
    .map(([key, value]) => {
      if (/^(outside_)?endpoints /.test(key)) return `${key.replace(/[0-9]+ \}$/, "")} ${value}`;
      if (!key.startsWith("chain svc_")) return `${key} ${value}`;
      const rules = value.replaceAll(/[0-9]+ : |[{}]/g, "").split(/[;,] |map /);
      return `${key} ${rules
        .map((rule) => rule.trim())
        .toSorted(byText)
        .join("; ")}`;
    })
    .toSorted(byText);
}

function byText(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}

/** A small generator of numbers below `choices`, the same in every run. */
function seeded(seed: number): (choices: number) => number {
  let state = seed;
  return (choices) => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return Math.floor((state / 2_147_483_648) * choices);
  };
}
