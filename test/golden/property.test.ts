/** What must hold for every world, tried on random ones. */

import { describe, expect, test } from "@jest/globals";
import type { KubeObject } from "#cluster/api/meta.ts";
import { type EnvoyResource, buildResources } from "#pilot/envoy/build.ts";
import type { ScopeIr } from "#pilot/ir/scope-ir.ts";
import type { Change } from "#pilot/model/change.ts";
import { type Extent, extentOf, joinExtents } from "#pilot/model/extent.ts";
import { type IrList, impactOf, movedBy } from "#pilot/model/impact.ts";
import { type Proxy, parseProxy } from "#pilot/model/proxy.ts";
import {
  type PushContext,
  createPushContext,
  updatePushContext,
} from "#pilot/model/push-context.ts";
import { type ProxyScope, scopesOf } from "#pilot/model/scope.ts";
import { ScopeTranslation, translateScope } from "#pilot/translate/translate.ts";
import { randomNumbers, randomObject, randomSecret } from "./random-world.ts";
import { randomRoute } from "./random-routes.ts";
import { WorldFeed, eventOf } from "./world.ts";

const SEEDS = Array.from({ length: 12 }, (_none, seed) => seed + 1);

const PROXIES = [
  proxyOf("sidecar~192.0.2.101~client.default~default.svc.cluster.local", { app: "client" }),
  proxyOf("sidecar~192.0.2.102~a.other~other.svc.cluster.local", { app: "a" }),
  proxyOf("router~192.0.2.103~gw.default~default.svc.cluster.local", { istio: "ingressgateway" }),
  proxyOf(
    "sidecar~192.0.2.101~far.default~default.svc.cluster.local",
    { app: "client" },
    { CLUSTER_ID: "west", NETWORK: "net-2", DNS_CAPTURE: "true" },
  ),
  proxyOf(
    "sidecar~192.0.2.104~asking.default~default.svc.cluster.local",
    { app: "client" },
    { DISCOVERY: "on-demand" },
  ),
];

function proxyOf(id: string, labels: Record<string, string>, more: object = {}): Proxy {
  const metadata = { LABELS: labels, NODE_NAME: "n1", ...more };
  const parsed = parseProxy({ id, metadata, locality: { region: "north", zone: "a" } });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return parsed.proxy;
}

function scopesIn(context: PushContext): ProxyScope[] {
  return PROXIES.flatMap((proxy) => {
    const { outbound, workload } = scopesOf(context, proxy);
    return [outbound, workload];
  });
}

/** All that proxies are told, as text. */
function told(context: PushContext): string {
  const irs = scopesIn(context).map((scope) => translateScope(context, scope));
  return JSON.stringify(
    irs.map((ir) => buildResources(ir).map(({ name, message }) => [name, message])),
  );
}

function shuffled<T>(list: readonly T[], random: (below: number) => number): T[] {
  const copy = [...list];
  for (let at = copy.length - 1; at > 0; at--) {
    const other = random(at + 1);
    [copy[at], copy[other]] = [copy[other]!, copy[at]!];
  }
  return copy;
}

describe.each(SEEDS)("a random world of seed %i", (seed) => {
  const random = randomNumbers(seed);
  const secrets = randomNumbers(seed);
  const routes = randomNumbers(seed);
  const objects = [
    ...new Map(
      [
        ...Array.from({ length: 60 }, () => randomObject(random)),
        ...Array.from({ length: 6 }, () => randomSecret(secrets)),
        ...Array.from({ length: 12 }, () => randomRoute(routes)),
      ].map((object) => [keyOf(object), object]),
    ).values(),
  ];

  test("gives the same bytes in whatever order it is told", () => {
    const inOrder = (list: readonly KubeObject[]): string => {
      const feed = new WorldFeed();
      return told(createPushContext(list.flatMap((object) => feed.handle(eventOf(object)))));
    };
    expect(inOrder(shuffled(objects, random))).toBe(inOrder(objects));
  });

  test("changed step by step, equals the world built at once", () => {
    const feed = new WorldFeed();
    let context = createPushContext([]);
    let irs = new Map<string, ScopeTranslation>();
    const present = new Map<string, KubeObject>();
    for (let step = 0; step < 40; step++) {
      const object = randomObject(random);
      const type = random(4) === 0 ? "delete" : "upsert";
      if (type === "delete") present.delete(keyOf(object));
      else present.set(keyOf(object), object);
      const secret = randomSecret(secrets);
      present.set(keyOf(secret), secret);
      const route = randomRoute(routes);
      const routeType = routes(3) === 0 ? "delete" : "upsert";
      if (routeType === "delete") present.delete(keyOf(route));
      else present.set(keyOf(route), route);
      const changes = [
        ...feed.handle(eventOf(object, type)),
        ...feed.handle(eventOf(secret)),
        ...feed.handle(eventOf(route, routeType)),
      ];
      const next = updatePushContext(context, changes);
      irs = checkStep({ changes, previous: context, next, before: irs });
      context = next;
    }
    const fresh = new WorldFeed();
    const whole = createPushContext(
      [...present.values()].flatMap((object) => fresh.handle(eventOf(object))),
    );
    expect(told(context)).toBe(told(whole));
  });
});

function keyOf(object: KubeObject): string {
  const { cluster = "" } = eventOf(object);
  return `${cluster}/${object.kind}/${object.metadata.namespace}/${object.metadata.name}`;
}

interface Step {
  readonly changes: readonly Change[];
  readonly previous: PushContext;
  readonly next: PushContext;
  readonly before: ReadonlyMap<string, ScopeTranslation>;
}

const LISTS: readonly IrList[] = ["clusters", "listeners", "routes", "endpoints", "secrets"];

/**
 * Lists that `impactOf` doesn't name are the same, and proxies that `movedBy` doesn't name stay.
 */
function checkStep({ changes, previous, next, before }: Step): Map<string, ScopeTranslation> {
  const moved = changes.map((change) => movedBy(change, previous, next));
  for (const proxy of PROXIES) {
    const stays = moved.every(
      (one) =>
        one === "none" ||
        (one !== "all" &&
          !one.namespaces.has(proxy.namespace) &&
          !proxy.addresses.some((ip) => one.addresses.has(ip))),
    );
    if (stays) expect(scopesOf(next, proxy)).toEqual(scopesOf(previous, proxy));
  }
  const irs = new Map<string, ScopeTranslation>();
  for (const scope of scopesIn(next)) {
    const known = before.get(scope.key);
    const ir = known ?? new ScopeTranslation(next, scope);
    const then = known === undefined ? undefined : listsOf(known);
    const extents = new Map<IrList, Extent>();
    for (const change of changes) {
      for (const list of impactOf(change, scope, previous, next)) {
        extents.set(list, joinExtents(extents.get(list), extentOf(change, previous, next)));
      }
    }
    ir.update(next, extents);
    const now = listsOf(ir);
    for (const list of LISTS) if (!extents.has(list) && then) expect(now[list]).toBe(then[list]);
    const whole = wholly(next, scope);
    expect(now).toEqual(listsOf(whole));
    expect(textsOf(ir.problems)).toEqual(textsOf(whole.problems));
    irs.set(scope.key, ir);
  }
  return irs;
}

/** With all lists made, and so all problems known. */
function wholly(context: PushContext, scope: ProxyScope): ScopeIr {
  const ir = translateScope(context, scope);
  listsOf(ir);
  return ir;
}

function textsOf(problems: readonly object[]): string[] {
  return problems.map((problem) => JSON.stringify(problem)).toSorted();
}

function listsOf(ir: ScopeIr): Record<IrList, unknown> {
  const { clusters, listeners, routes, endpoints, secrets } = ir;
  return { clusters, listeners, routes, endpoints, secrets };
}

describe("unchanged resources", () => {
  test("are the same objects after a change of something else", () => {
    const feed = new WorldFeed();
    const random = randomNumbers(7);
    const objects = Array.from({ length: 60 }, () => randomObject(random)).filter(
      (object) => object.kind !== "Sidecar" && object.kind !== "ConfigMap",
    );
    const context = createPushContext(objects.flatMap((object) => feed.handle(eventOf(object))));
    const scope = scopesOf(context, PROXIES[0]!).outbound;
    const ir = new ScopeTranslation(context, scope);
    const before = byName(buildResources(ir));
    const object = {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: "new", namespace: "default" },
      spec: { clusterIP: "192.0.2.250", ports: [{ name: "http", port: 12_345 }] },
    };
    const changes = feed.handle(eventOf(object));
    const next = updatePushContext(context, changes);
    ir.update(next, new Map(LISTS.map((list) => [list, "all"])));
    const after = byName(buildResources(ir));
    const fresh = [...after].filter(([name, resource]) => before.get(name) !== resource);
    expect(fresh.map(([name]) => name).toSorted()).toEqual([
      "cluster outbound|12345||new.default.svc.cluster.local",
      "endpoint outbound|12345||new.default.svc.cluster.local",
      "listener 0.0.0.0_12345",
      "route 12345",
    ]);
  });
});

function byName(resources: readonly EnvoyResource[]): Map<string, EnvoyResource> {
  return new Map(resources.map((one) => [`${one.type} ${one.name}`, one]));
}
