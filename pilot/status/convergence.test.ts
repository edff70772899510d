import { describe, expect, test } from "@jest/globals";
import { ConvergenceTracker } from "./convergence.ts";
import type { ConnectedProxy } from "./convergence.ts";
import { encodeResource } from "#pilot/cache/resource.ts";
import type { EncodedResource } from "#pilot/cache/resource.ts";
import { ResourceTable } from "#pilot/cache/table.ts";
import { ROUTES } from "#pilot/cache/type-url.ts";

const RULE = "VirtualService/default/web";

function route(name: string, objects: string[], content = ""): EncodedResource {
  const result = encodeResource({
    type: ROUTES,
    name,
    message: { name, requestHeadersToRemove: content === "" ? [] : [content] },
    origins: objects.map((object) => ({ object, path: "" })),
  });
  if (!result.ok) throw new Error("not encodable");
  return result.resource;
}

function world(): {
  table: ResourceTable;
  connections: Set<ConnectedProxy>;
  connect: (id: string, scope?: object) => ConnectedProxy;
  tracker: ConvergenceTracker;
  clock: { now: number };
  progress: () => number;
} {
  const table = new ResourceTable(ROUTES);
  const other = new ResourceTable(ROUTES);
  const connections = new Set<ConnectedProxy>();
  const clock = { now: 0 };
  let progress = 0;
  const tracker = new ConvergenceTracker({
    connections: () => connections,
    now: () => clock.now,
    onProgress: () => progress++,
  });
  const shared = { scope: {}, tables: () => [table] };
  return {
    table,
    connections,
    clock,
    tracker,
    progress: () => progress,
    connect(proxyId, scope) {
      const states = scope === undefined ? [shared] : [{ scope, tables: () => [other] }];
      const proxy = { proxyId, states };
      connections.add(proxy);
      return proxy;
    },
  };
}

describe("an object", () => {
  test("is live on a proxy when that has acknowledged what it was told", () => {
    const { table, connect, connections, tracker, clock, progress } = world();
    const [a, b] = [connect("a"), connect("b")];
    connect("stranger", {});
    table.apply([route("80", [RULE, "Service/default/web"])]);
    tracker.pushed({ objects: [RULE], reached: [a, b], sinceMs: 0 });
    expect(tracker.figure(RULE)).toEqual({ proxies: 2, live: 0 });
    clock.now = 5;
    tracker.converged(a);
    expect(tracker.figure(RULE)).toEqual({ proxies: 2, live: 1 });
    expect(progress()).toBe(0);
    clock.now = 9;
    tracker.converged(b);
    expect(tracker.figure(RULE)).toEqual({ proxies: 2, live: 2, afterMs: 9 });
    expect(progress()).toBe(1);
    tracker.forgetDone();
    expect(tracker.figure(RULE)).toEqual({ proxies: 2, live: 2 });
    connections.delete(b);
    expect(tracker.figure(RULE)).toEqual({ proxies: 1, live: 1 });
  });

  test("concerns nobody when nothing comes from it any more, once all have heard", () => {
    const { table, connect, tracker } = world();
    const a = connect("a");
    table.apply([route("80", [RULE])]);
    tracker.pushed({ objects: [RULE], reached: [], sinceMs: 0 });
    expect(tracker.figure(RULE)).toEqual({ proxies: 1, live: 1 });
    table.apply([], ["80"]);
    tracker.pushed({ objects: [RULE], reached: [a], sinceMs: 0 });
    expect(tracker.figure(RULE)).toEqual({ proxies: 1, live: 0 });
    tracker.converged(a);
    expect(tracker.figure(RULE)).toEqual({ proxies: 0, live: 0 });
  });

  test("concerns those whose class it makes", () => {
    const { connect, tracker } = world();
    connect("a");
    connect("b", { sidecar: "Sidecar/default/narrow", labels: { app: "b" } });
    expect(tracker.figure("Sidecar/default/narrow")).toEqual({ proxies: 1, live: 1 });
  });

  test("isn't waited for by proxies that have gone", () => {
    const { table, connect, connections, tracker } = world();
    const [a, b] = [connect("a"), connect("b")];
    table.apply([route("80", [RULE])]);
    tracker.pushed({ objects: [RULE], reached: [a, b], sinceMs: 0 });
    tracker.converged(a);
    connections.delete(b);
    tracker.forgetGone();
    expect(tracker.figure(RULE)).toMatchObject({ proxies: 1, live: 1 });
  });

  test("that changes again waits for the newest push", () => {
    const { table, connect, tracker, clock } = world();
    const a = connect("a");
    table.apply([route("80", [RULE])]);
    tracker.pushed({ objects: [RULE], reached: [a], sinceMs: 0 });
    table.apply([route("80", [RULE], "x")]);
    clock.now = 10;
    tracker.pushed({ objects: [RULE], reached: [a], sinceMs: 10 });
    clock.now = 14;
    tracker.converged(a);
    expect(tracker.figure(RULE)).toEqual({ proxies: 1, live: 1, afterMs: 4 });
  });

  test("is found again however often its resources change, and however many pushes are open", () => {
    const { table, connect, tracker } = world();
    const a = connect("a");
    for (let round = 0; round < 1000; round++) {
      table.apply([route("80", round % 2 === 0 ? [RULE] : [], String(round))]);
      tracker.pushed({ objects: [round < 500 ? RULE : `x${round}`], reached: [a], sinceMs: 0 });
    }
    expect(tracker.figure(RULE)).toMatchObject({ live: 0 });
    table.apply([route("80", [RULE], "last")]);
    expect(tracker.figure(RULE)).toEqual({ proxies: 1, live: 0 });
    tracker.converged(a);
    expect(tracker.figure(RULE)).toMatchObject({ proxies: 1, live: 1 });
  });
});
