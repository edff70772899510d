import { afterEach, describe, expect, test } from "@jest/globals";
import type { Node, Pod } from "#cluster/api/generated/core-v1.ts";
import { EVENTS, NODES, PODS } from "#cluster/api/resources.ts";
import { statusError } from "#cluster/api/status-error.ts";
import { FakeApi } from "#cluster/client/testing/fake-api.ts";
import { FakeClock } from "#cluster/client/testing/fake-clock.ts";
import { waitUntil } from "#cluster/client/testing/wait-until.ts";
import { runScheduler } from "./run.ts";

let stop = new AbortController();
let running: Promise<void> | undefined;
afterEach(async () => {
  stop.abort();
  await running;
  stop = new AbortController();
});

function start(api: FakeApi, clock?: FakeClock): void {
  running = runScheduler({ client: api, signal: stop.signal, clock });
}

function node(name: string, cpu: string): Node {
  return {
    metadata: { name },
    status: {
      allocatable: { cpu, memory: "64Gi", pods: "500" },
      conditions: [{ type: "Ready", status: "True" }],
    },
  };
}

function pod(name: string, cpu: string): Pod {
  return {
    metadata: { namespace: "default", name },
    spec: { containers: [{ name: "c", resources: { requests: { cpu } } }] },
    status: { phase: "Pending" },
  };
}

function placed(api: FakeApi): (string | undefined)[] {
  return api.peek(PODS).map(({ spec }) => spec?.nodeName);
}

describe("scheduler", () => {
  test("binds pods and says so", async () => {
    const api = new FakeApi();
    await api.create(NODES, node("a", "2"));
    await api.create(PODS, pod("before", "1"));
    start(api);
    await api.create(PODS, pod("after", "1"));
    await waitUntil("both are bound", () => placed(api).join() === "a,a");
    await waitUntil("events", () => api.peek(EVENTS).length === 2);
    expect(api.peek(EVENTS).map(({ reason, message }) => `${reason}: ${message}`)).toContain(
      "Scheduled: Successfully assigned default/after to a",
    );
  });

  test("never gives a node more than it has, however many come at once", async () => {
    const api = new FakeApi();
    for (const name of ["a", "b"]) await api.create(NODES, node(name, "10"));
    start(api);
    const startMs = performance.now();
    await Promise.all(
      Array.from({ length: 100 }, (_, i) => api.create(PODS, pod(`p${i}`, "250m"))),
    );
    const bound = (name: string): number => placed(api).filter((at) => at === name).length;
    await waitUntil("80 are bound", () => bound("a") + bound("b") === 80);
    expect(performance.now() - startMs).toBeLessThan(1_000);
    expect([bound("a"), bound("b")]).toEqual([40, 40]);
  });

  test("refuses with a condition and an event, and tries again when a node comes", async () => {
    const api = new FakeApi();
    const clock = new FakeClock();
    start(api, clock);
    await api.create(PODS, pod("p", "1"));
    const condition = (): object | undefined => api.peek(PODS)[0]?.status?.conditions?.[0];
    await waitUntil("refused", () => condition() !== undefined);
    await waitUntil("event", () => api.peek(EVENTS)[0]?.reason === "FailedScheduling");
    expect(condition()).toMatchObject({
      type: "PodScheduled",
      status: "False",
      reason: "Unschedulable",
      message: "no nodes available to schedule pods",
    });
    await api.create(NODES, node("small", "500m"));
    await waitUntil("tried again", async () => {
      clock.advance(100);
      return JSON.stringify(condition()).includes("Insufficient cpu");
    });
    await api.create(NODES, node("large", "4"));
    await waitUntil("bound", async () => {
      clock.advance(100);
      return placed(api)[0] === "large";
    });
  });

  test("a freed node takes the pod that waited", async () => {
    const api = new FakeApi();
    const clock = new FakeClock();
    await api.create(NODES, node("a", "1"));
    await api.create(PODS, pod("first", "1"));
    start(api, clock);
    await waitUntil("first is bound", () => placed(api)[0] === "a");
    await api.create(PODS, pod("second", "1"));
    await waitUntil("second waits", () => api.peek(EVENTS).length === 2);
    await api.delete(PODS, { namespace: "default", name: "first" }, { gracePeriodSeconds: 0 });
    await waitUntil("second is bound", () => {
      clock.advance(100);
      return placed(api).join() === "a";
    });
  });

  test("a failed binding is tried again, and takes no room meanwhile", async () => {
    const api = new FakeApi();
    const clock = new FakeClock();
    let failures = 2;
    api.onRequest = ({ subresource }) => {
      if (subresource === "binding" && failures > 0) {
        failures -= 1;
        throw statusError("InternalError", "store is away");
      }
    };
    await api.create(NODES, node("a", "1"));
    await api.create(PODS, pod("p", "1"));
    start(api, clock);
    await waitUntil("bound", () => {
      clock.advance(100);
      return placed(api)[0] === "a";
    });
    expect(failures).toBe(0);
  });

  test("leaves pods of other schedulers, gated and deleted ones alone", async () => {
    const api = new FakeApi();
    await api.create(NODES, node("a", "8"));
    const spec = pod("x", "1").spec ?? { containers: [] };
    await api.create(PODS, { ...pod("other", "1"), spec: { ...spec, schedulerName: "other" } });
    await api.create(PODS, {
      ...pod("gated", "1"),
      spec: { ...spec, schedulingGates: [{ name: "g" }] },
    });
    await api.create(PODS, pod("ours", "1"));
    start(api);
    await waitUntil("ours is bound", () => placed(api).includes("a"));
    expect(placed(api).filter(Boolean)).toHaveLength(1);
    const ungate = { type: "merge", body: { spec: { schedulingGates: null } } } as const;
    await api.patch(PODS, { namespace: "default", name: "gated" }, ungate);
    await waitUntil("no longer gated", () => placed(api).filter(Boolean).length === 2);
  });
});
