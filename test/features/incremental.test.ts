/** However the world got to be as it is, proxies are told the same, byte for byte. */

import { describe, expect, test } from "@jest/globals";
import { diffTables, missingEndpoints } from "#pilot/cache/consistency.ts";
import type { Protocol } from "#pilot/cache/shared-frames.ts";
import { PUSH_ORDER } from "#pilot/cache/type-url.ts";
import type { ProxyView } from "#pilot/cache/view.ts";
import type { KubeObject } from "#cluster/api/meta.ts";
import { ObjectFeed } from "#pilot/config/object-feed.ts";
import { Pusher } from "#pilot/push/pusher.ts";
import { type Random, randomObservation, randomSmall } from "./random-observation.ts";
import { randomPlacedObject } from "#test/golden/random-places.ts";
import { randomRoute } from "#test/golden/random-routes.ts";
import { eventOf } from "#test/golden/world.ts";

function randomFrom(seed: number): Random {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const NAMES = ["a", "b", "c", "d"];
const NAMESPACES = ["default", "other"];

/** A random state of a random object out of some forty. */
function randomObject(random: Random): KubeObject {
  if (random(4) === 0) return randomPlacedObject(random);
  const pick = <T>(list: readonly T[]): T => list[random(list.length)]!;
  const name = pick(NAMES);
  const namespace = pick(NAMESPACES);
  const metadata = { name, namespace, creationTimestamp: `2026-01-0${1 + random(5)}T00:00:00Z` };
  const host = `${name}.${namespace}.svc.cluster.local`;
  const address = (): string => `192.0.2.${1 + random(6)}`;
  const networking = "networking.istio.io/v1";
  const route = (): object => ({
    destination: {
      host: pick([host, "a", "b.default.svc.cluster.local", "missing"]),
      ...(random(2) === 0 ? { subset: pick(["v1", "v2"]) } : {}),
    },
    weight: 50,
  });
  const makers: (() => KubeObject)[] = [
    () => ({
      apiVersion: "v1",
      kind: "Service",
      metadata,
      spec: {
        clusterIP: random(4) === 0 ? "None" : `198.51.100.${1 + NAMES.indexOf(name)}`,
        selector: { app: name },
        ports: [{ name: pick(["http", "tcp", "x"]), port: pick([80, 8080]), targetPort: 8080 }],
      },
    }),
    () => ({
      apiVersion: "discovery.k8s.io/v1",
      kind: "EndpointSlice",
      metadata: { ...metadata, labels: { "kubernetes.io/service-name": name } },
      addressType: "IPv4",
      ports: [{ name: pick(["http", "tcp"]), port: 8080 }],
      endpoints: Array.from({ length: random(4) }, () => ({
        addresses: [address()],
        conditions: { ready: random(4) > 0 },
        targetRef: { kind: "Pod", name: pick(NAMES), namespace },
      })),
    }),
    () => ({
      apiVersion: "v1",
      kind: "Pod",
      metadata: { ...metadata, labels: { app: name, version: pick(["v1", "v2"]) } },
      spec: { containers: [] },
      status: { podIP: address(), phase: "Running" },
    }),
    () => ({
      apiVersion: networking,
      kind: "VirtualService",
      metadata,
      spec: {
        hosts: [pick([name, host, "*.example.org"])],
        ...(random(4) === 0 ? { gateways: [pick(["web", "mesh", "default/web"])] } : {}),
        ...(random(4) === 0 ? { exportTo: ["."] } : {}),
        http: [
          {
            ...(random(3) === 0 ? { match: [{ sourceLabels: { app: pick(NAMES) } }] } : {}),
            route: [route(), route()],
            ...(random(4) === 0 ? { mirrors: [route()] } : {}),
          },
        ],
      },
    }),
    () => ({
      apiVersion: networking,
      kind: "DestinationRule",
      metadata,
      spec: {
        host: pick([name, host, "*.default.svc.cluster.local"]),
        subsets: pick([[], [{ name: "v1", labels: { version: "v1" } }]]),
        ...(random(2) === 0 ? { trafficPolicy: { loadBalancer: { simple: "RANDOM" } } } : {}),
      },
    }),
    () => ({
      apiVersion: networking,
      kind: "ServiceEntry",
      metadata,
      spec: {
        hosts: [`${name}.example.org`],
        ports: [{ number: 80, name: "http", protocol: "HTTP" }],
        resolution: pick(["STATIC", "DNS", "NONE"]),
        ...(random(2) === 0
          ? { endpoints: [{ address: "192.0.2.99" }] }
          : { workloadSelector: { labels: { app: name } } }),
      },
    }),
    () => ({
      apiVersion: networking,
      kind: "Sidecar",
      metadata: { ...metadata, name: "default" },
      spec: { egress: [{ hosts: pick([["./*"], ["*/*"], ["~/*"], ["default/*"]]) }] },
    }),
    () => ({
      apiVersion: networking,
      kind: "Gateway",
      metadata: { ...metadata, name: "web" },
      spec: {
        selector: { app: pick(NAMES) },
        servers: [{ port: { number: 80, name: "http", protocol: "HTTP" }, hosts: ["*"] }],
      },
    }),
    () => randomObservation(random),
    () => randomRoute(random),
    () => ({
      apiVersion: "networking.k8s.io/v1",
      kind: "Ingress",
      metadata: { ...metadata, annotations: { "kubernetes.io/ingress.class": "istio" } },
      spec: {
        defaultBackend: { service: { name: pick(NAMES), port: { number: pick([80, 8080]) } } },
      },
    }),
  ];
  return pick(makers)();
}

const NODES = NAMESPACES.flatMap((namespace) =>
  (
    [
      ["sidecar", "a"],
      ["sidecar", "b"],
      ["router", "ingressgateway"],
    ] as const
  ).map(([type, app], at) => ({
    id: `${type}~192.0.2.${1 + at}~${app}-1.${namespace}~${namespace}.svc.cluster.local`,
    metadata: {
      LABELS: { app, istio: app },
      NAMESPACE: namespace,
      ...(app === "b" ? { CLUSTER_ID: "west", NETWORK: "net-2", DNS_CAPTURE: "true" } : {}),
      ...(app === "b" && namespace === "other" ? { DISCOVERY: "on-demand" } : {}),
    },
    userAgentName: "envoy",
  })),
);

interface World {
  feed: ObjectFeed;
  pusher: Pusher;
  views: ProxyView[];
  /** Runs what the queue has put off. */
  settle: () => void;
}

/** `protocols` of `NODES` in turn: virtual hosts travel by themselves to every second one. */
function newWorld(log: (line: string) => void): World {
  const later: (() => void)[] = [];
  let time = 0;
  const clock = {
    now: () => time,
    after: (ms: number, run: () => void) => ms < 1000 && later.push(run),
  };
  const pusher = new Pusher({ log, clock });
  const feed = new ObjectFeed({
    apply: (changes) => pusher.apply(changes),
    log,
    clusterDomain: "cluster.local",
  });
  // Also what waits for its other half has waited long enough then.
  const settle = (): void => {
    while (later.length > 0) {
      time += 1000;
      for (const run of later.splice(0)) run();
    }
  };
  return { feed, pusher, views: [], settle };
}

function openAll(world: World): void {
  world.views = NODES.map((node, index) => {
    const protocol: Protocol = index % 2 === 0 ? "delta" : "sotw";
    const opened = world.pusher.open(node, { protocol, onChange: () => undefined });
    if (!opened.ok) throw new Error(opened.message);
    return opened.view;
  });
  for (const view of world.views) for (const type of PUSH_ORDER) view.tables(type);
}

/** Names of what it is sent when it asks. */
function onDemand(view: ProxyView | undefined): string[] {
  const tables = PUSH_ORDER.flatMap((type) => [...(view?.tables(type) ?? [])]);
  return tables
    .filter((table) => table.onDemand)
    .flatMap((table) => [...table.names()])
    .toSorted();
}

const EVERYTHING = { name: "a world", make: randomObject, compareEach: 10 };
const PATCHED = { name: "a small world of many patches", make: randomSmall, compareEach: 2 };

describe.each([
  ...[1, 2, 3, 4, 5, 6].map((seed) => ({ seed, ...EVERYTHING })),
  ...[7, 8, 9].map((seed) => ({ seed, ...PATCHED })),
])("$name changed at random (seed $seed)", ({ seed, make, compareEach }) => {
  test("is served as if it had been so from the start", () => {
    const random = randomFrom(seed);
    const log: string[] = [];
    const world = newWorld((line) => log.push(line));
    const objects = new Map<string, KubeObject>();
    world.pusher.start();
    openAll(world);
    for (let step = 0; step < 60; step++) {
      for (let change = 0; change <= random(4); change++) {
        const object = make(random);
        const { cluster = "" } = eventOf(object);
        const key = `${cluster} ${object.kind} ${object.metadata.namespace}/${object.metadata.name}`;
        const type = random(4) === 0 ? "delete" : "upsert";
        if (type === "delete" && !objects.has(key)) continue;
        if (type === "delete") objects.delete(key);
        else objects.set(key, object);
        world.feed.handle(eventOf(object, type));
      }
      world.settle();
      if (step % compareEach !== compareEach - 1) continue;
      const fresh = newWorld((line) => log.push(line));
      for (const object of [...objects.values()].toReversed()) {
        fresh.feed.handle(eventOf(object));
      }
      fresh.pusher.start();
      openAll(fresh);
      for (const [index, view] of world.views.entries()) {
        const all = (one: ProxyView | undefined) =>
          PUSH_ORDER.flatMap((type) => [...(one?.tables(type) ?? [])]);
        const different = diffTables(all(view), all(fresh.views[index]));
        expect({ step, proxy: view.proxyId, different }).toEqual({
          step,
          proxy: view.proxyId,
          different: [],
        });
        expect(missingEndpoints(all(view))).toEqual([]);
        expect(onDemand(view)).toEqual(onDemand(fresh.views[index]));
      }
    }
    expect(log).toEqual([]);
    expect(world.pusher.problems().filter(({ reason }) => reason === "NotEncodable")).toEqual([]);
  });
});
