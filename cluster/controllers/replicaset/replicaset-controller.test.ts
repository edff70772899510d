import { afterEach, describe, expect, test } from "@jest/globals";
import type { ReplicaSet } from "#cluster/api/generated/apps-v1.ts";
import type { Pod } from "#cluster/api/generated/core-v1.ts";
import { controllerOf } from "#cluster/api/owner-reference.ts";
import { EVENTS, PODS, REPLICA_SETS } from "#cluster/api/resources.ts";
import { statusError } from "#cluster/api/status-error.ts";
import { FakeApi } from "#cluster/client/testing/fake-api.ts";
import { FakeClock } from "#cluster/client/testing/fake-clock.ts";
import { startControllers } from "#cluster/client/testing/run-controllers.ts";
import type { RunningControllers } from "#cluster/client/testing/run-controllers.ts";
import { waitUntil } from "#cluster/client/testing/wait-until.ts";
import { runReplicaSetController } from "./replicaset-controller.ts";

let running: RunningControllers | undefined;
afterEach(async () => {
  await running?.stop();
  running = undefined;
});

function replicaSet(replicas: number, minReadySeconds = 0): ReplicaSet {
  return {
    metadata: { namespace: "default", name: "web" },
    spec: {
      replicas,
      minReadySeconds,
      selector: { matchLabels: { app: "web" } },
      template: { metadata: { labels: { app: "web" } }, spec: { containers: [{ name: "c" }] } },
    },
  };
}

const REF = { namespace: "default", name: "web" };

function start(api: FakeApi, clock?: FakeClock): void {
  running = startControllers(api, [runReplicaSetController], clock);
}

async function makeReady(api: FakeApi, pod: Pod, at: string): Promise<void> {
  const conditions = [{ type: "Ready", status: "True", lastTransitionTime: at }];
  await api.updateStatus(PODS, { ...pod, status: { phase: "Running", conditions } });
}

function scale(api: FakeApi, replicas: number): Promise<ReplicaSet> {
  return api.patch(REPLICA_SETS, REF, { type: "merge", body: { spec: { replicas } } });
}

describe("replicaset controller", () => {
  test("creates pods of the template and says so", async () => {
    const api = new FakeApi();
    const owner = await api.create(REPLICA_SETS, replicaSet(5));
    start(api);
    await waitUntil("status counts them", () =>
      api.peek(REPLICA_SETS).every(({ status }) => status?.replicas === 5),
    );
    expect(api.peek(PODS)).toHaveLength(5);
    for (const pod of api.peek(PODS)) {
      expect(pod.metadata.name).toMatch(/^web-/);
      expect(pod.metadata.labels).toEqual({ app: "web" });
      expect(controllerOf(pod)).toMatchObject({ uid: owner.metadata.uid, kind: "ReplicaSet" });
    }
    await waitUntil("events", () => api.peek(EVENTS).length === 5);
    expect(api.peek(EVENTS)[0]).toMatchObject({ reason: "SuccessfulCreate" });
  });

  test("never creates too many, however late the watch is", async () => {
    const api = new FakeApi();
    start(api);
    await api.create(REPLICA_SETS, replicaSet(3));
    await waitUntil("three pods", () => api.peek(PODS).length === 3);
    api.breakWatches();
    await api.patch(REPLICA_SETS, REF, {
      type: "merge",
      body: { metadata: { labels: { a: "b" } } },
    });
    await scale(api, 20);
    await waitUntil("twenty counted", () => api.peek(REPLICA_SETS)[0]?.status?.replicas === 20);
    expect(api.requests.filter((r) => r.verb === "create" && r.resource === PODS)).toHaveLength(20);
  });

  test("replaces what disappears, deletes what is too much", async () => {
    const api = new FakeApi();
    start(api);
    await api.create(REPLICA_SETS, replicaSet(2));
    await waitUntil("two pods", () => api.peek(PODS).length === 2);
    const [first] = api.peek(PODS);
    await api.delete(PODS, first?.metadata ?? { name: "" });
    await waitUntil(
      "replaced",
      () => api.peek(PODS).filter((pod) => pod.metadata.uid !== first?.metadata.uid).length === 2,
    );
    await scale(api, 0);
    await waitUntil("none left", () => api.peek(PODS).length === 0);
    await waitUntil("counted", () => api.peek(REPLICA_SETS)[0]?.status?.replicas === 0);
  });

  test("adopts matching orphans and releases pods that no longer match", async () => {
    const api = new FakeApi();
    const orphan = { metadata: { ...REF, name: "orphan", labels: { app: "web" } } };
    await api.create(PODS, orphan);
    await api.create(REPLICA_SETS, replicaSet(1));
    start(api);
    const read = (): Pod | undefined => api.peek(PODS).find((p) => p.metadata.name === "orphan");
    await waitUntil("adopted", () => controllerOf(read() ?? orphan)?.name === "web");
    expect(api.peek(PODS)).toHaveLength(1);
    const body = { metadata: { labels: { app: "debug" } } };
    await api.patch(PODS, orphan.metadata, { type: "merge", body });
    await waitUntil("released", () => read()?.metadata.ownerReferences?.length === 0);
    await waitUntil("replaced", () => api.peek(PODS).length === 2);
  });

  test("a pod is available minReadySeconds after it became ready", async () => {
    const api = new FakeApi();
    const clock = new FakeClock();
    await api.create(REPLICA_SETS, replicaSet(1, 10));
    start(api, clock);
    await waitUntil("a pod", () => api.peek(PODS).length === 1);
    for (const pod of api.peek(PODS)) await makeReady(api, pod, "2026-01-01T00:00:00Z");
    const status = (): ReplicaSet["status"] => api.peek(REPLICA_SETS)[0]?.status;
    await waitUntil("ready", () => status()?.readyReplicas === 1);
    expect(status()?.availableReplicas).toBe(0);
    await waitUntil("the controller waits", () => clock.pending > 0);
    clock.advance(10_000);
    await waitUntil("available", () => status()?.availableReplicas === 1);
  });

  test("a refused pod becomes a condition, not a storm, and is tried again", async () => {
    const api = new FakeApi();
    let isRefused = true;
    api.onRequest = ({ verb, resource }) => {
      if (isRefused && verb === "create" && resource === PODS) {
        throw statusError("Forbidden", "exceeded quota");
      }
    };
    await api.create(REPLICA_SETS, replicaSet(100));
    start(api);
    await waitUntil("condition", () => api.peek(REPLICA_SETS)[0]?.status?.conditions?.length === 1);
    expect(api.peek(REPLICA_SETS)[0]?.status?.conditions).toMatchObject([
      { type: "ReplicaFailure", status: "True", reason: "FailedCreate", message: "exceeded quota" },
    ]);
    const tries = api.requests.filter((r) => r.verb === "create" && r.resource === PODS).length;
    expect(tries).toBeLessThan(10);
    isRefused = false;
    await waitUntil("all created", () => api.peek(PODS).length === 100);
    await waitUntil("no condition", () => {
      const { status } = api.peek(REPLICA_SETS)[0] ?? {};
      return status?.replicas === 100 && status.conditions === undefined;
    });
  });
});
