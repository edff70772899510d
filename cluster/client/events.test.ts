import { describe, expect, test } from "@jest/globals";
import { EVENTS, PODS } from "#cluster/api/resources.ts";
import { EventRecorder, referenceTo } from "./events.ts";
import type { Happening } from "./events.ts";
import { FakeApi } from "./testing/fake-api.ts";
import { FakeClock } from "./testing/fake-clock.ts";

const POD = { metadata: { namespace: "default", name: "p", uid: "u1" } };
const BACK_OFF: Happening = {
  involved: referenceTo(PODS, POD),
  type: "Warning",
  reason: "BackOff",
  message: "Back-off restarting failed container",
};

describe("event recorder", () => {
  test("writes an Event as Kubernetes does", async () => {
    const api = new FakeApi();
    const clock = new FakeClock();
    const events = new EventRecorder({ client: api, component: "kubelet", host: "n1", clock });
    events.record(BACK_OFF);
    await events.flush();
    expect(api.peek(EVENTS)).toMatchObject([
      {
        metadata: { namespace: "default", name: expect.stringMatching(/^p\.[0-9a-f]{16}$/) },
        involvedObject: { apiVersion: "v1", kind: "Pod", name: "p", uid: "u1" },
        type: "Warning",
        reason: "BackOff",
        source: { component: "kubelet", host: "n1" },
        firstTimestamp: "2026-01-01T00:00:00Z",
        count: 1,
      },
    ]);
  });

  test("raises the count of what happens again, in as few writes as possible", async () => {
    const api = new FakeApi();
    const clock = new FakeClock();
    const events = new EventRecorder({ client: api, component: "kubelet", clock });
    events.record(BACK_OFF);
    await events.flush();
    clock.advance(10_000);
    for (let i = 0; i < 5; i += 1) events.record(BACK_OFF);
    events.record({ ...BACK_OFF, reason: "Pulled", type: "Normal" });
    await events.flush();
    const [first, ...others] = api.peek(EVENTS).toSorted((a, b) => (b.count ?? 0) - (a.count ?? 0));
    expect(first).toMatchObject({ count: 6, lastTimestamp: "2026-01-01T00:00:10Z" });
    expect(others).toHaveLength(1);
    expect(api.requests.map(({ verb }) => verb)).toEqual(["create", "patch", "create"]);
  });

  test("begins a new Event when the old one is gone, and survives failures", async () => {
    const api = new FakeApi();
    const log: string[] = [];
    const events = new EventRecorder({
      client: api,
      component: "kubelet",
      log: (line) => log.push(line),
    });
    events.record(BACK_OFF);
    await events.flush();
    const [event] = api.peek(EVENTS);
    await api.delete(EVENTS, event?.metadata ?? { name: "" });
    events.record(BACK_OFF);
    await events.flush();
    expect(api.peek(EVENTS)).toMatchObject([{ count: 1 }]);
    api.onRequest = () => {
      throw new Error("connection refused");
    };
    events.record(BACK_OFF);
    await events.flush();
    expect(log).toEqual(["event BackOff: connection refused"]);
  });

  test("objects without a namespace have their events in default", async () => {
    const api = new FakeApi();
    const events = new EventRecorder({ client: api, component: "kubelet" });
    events.record({ ...BACK_OFF, involved: { kind: "Node", name: "n1", uid: "n1" } });
    await events.flush();
    expect(api.peek(EVENTS, "default")).toHaveLength(1);
  });
});
