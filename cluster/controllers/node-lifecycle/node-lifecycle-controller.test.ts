import { afterEach, describe, expect, test } from "@jest/globals";
import type { Node, Pod, Toleration } from "#cluster/api/generated/core-v1.ts";
import { LEASES, NODES, PODS } from "#cluster/api/resources.ts";
import { FakeApi } from "#cluster/client/testing/fake-api.ts";
import { FakeClock } from "#cluster/client/testing/fake-clock.ts";
import { startControllers } from "#cluster/client/testing/run-controllers.ts";
import type { RunningControllers } from "#cluster/client/testing/run-controllers.ts";
import { waitUntil } from "#cluster/client/testing/wait-until.ts";
import { runNodeLifecycleController } from "./node-lifecycle-controller.ts";

let running: RunningControllers | undefined;
afterEach(async () => {
  await running?.stop();
});

const LEASE = { namespace: "kube-node-lease", name: "n1" };
const FIVE_MINUTES: Toleration = {
  key: "node.kubernetes.io/unreachable",
  operator: "Exists",
  effect: "NoExecute",
  tolerationSeconds: 300,
};

class World {
  readonly clock = new FakeClock();
  readonly api = new FakeApi({ clock: this.clock });

  async start(): Promise<void> {
    const time = new Date(this.clock.nowMs()).toISOString();
    await this.api.create(NODES, {
      metadata: { name: "n1" },
      status: { conditions: [{ type: "Ready", status: "True", lastHeartbeatTime: time }] },
    });
    await this.api.create(LEASES, { metadata: LEASE, spec: { renewTime: time } });
    running = startControllers(this.api, [runNodeLifecycleController], this.clock);
    await waitUntil("it watches the node", () => this.clock.pending > 0);
  }

  async addPod(name: string, tolerations: Toleration[]): Promise<void> {
    await this.api.create(PODS, {
      metadata: { namespace: "default", name },
      spec: { nodeName: "n1", containers: [{ name: "c" }], tolerations },
      status: { phase: "Running", conditions: [{ type: "Ready", status: "True" }] },
    });
  }

  get node(): Node | undefined {
    return this.api.peek(NODES)[0];
  }

  get taints(): string[] {
    return (this.node?.spec?.taints ?? []).map(
      ({ key, effect }) => `${key.split("/")[1]}:${effect}`,
    );
  }

  pod(name: string): Pod | undefined {
    return this.api.peek(PODS).find(({ metadata }) => metadata.name === name);
  }
}

describe("node lifecycle controller", () => {
  test("a node that renews its lease stays as it is", async () => {
    const world = new World();
    await world.start();
    for (let seconds = 10; seconds <= 120; seconds += 10) {
      world.clock.advance(10_000);
      const renewTime = new Date(world.clock.nowMs()).toISOString();
      await world.api.patch(LEASES, LEASE, { type: "merge", body: { spec: { renewTime } } });
      // Let the watch deliver the renewal.
      await waitUntil("a turn", () => true);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(world.taints).toEqual([]);
    expect(world.node?.status?.conditions?.[0]?.status).toBe("True");
  });

  test("a silent node is marked, its pods leave their services and then the node", async () => {
    const world = new World();
    await world.addPod("patient", [FIVE_MINUTES]);
    await world.addPod("forever", [{ operator: "Exists" }]);
    await world.start();
    world.clock.advance(40_000);
    await waitUntil("marked", () => world.taints.length === 2);
    expect(world.taints).toEqual(["unreachable:NoSchedule", "unreachable:NoExecute"]);
    expect(world.node?.status?.conditions?.[0]).toMatchObject({
      type: "Ready",
      status: "Unknown",
      reason: "NodeStatusUnknown",
      message: "Kubelet stopped posting node status.",
    });
    await waitUntil("pods are not ready", () =>
      world.api.peek(PODS).every(({ status }) => status?.conditions?.[0]?.status === "False"),
    );
    expect(world.pod("patient")?.metadata.deletionTimestamp).toBeUndefined();
    await waitUntil("it waits", () => world.clock.pending > 0);
    world.clock.advance(301_000);
    await waitUntil(
      "evicted",
      () => world.pod("patient")?.metadata.deletionTimestamp !== undefined,
    );
    expect(world.pod("forever")?.metadata.deletionTimestamp).toBeUndefined();
  });

  test("nobody is taken to be silent by a controller that stood still itself", async () => {
    const world = new World();
    await world.start();
    world.clock.advance(300_000);
    await waitUntil("it waits anew", () => world.clock.pending > 0);
    expect(world.taints).toEqual([]);
    world.clock.advance(40_000);
    await waitUntil("marked", () => world.taints.length === 2);
  });

  test("a node that comes back loses its marks", async () => {
    const world = new World();
    await world.start();
    world.clock.advance(40_000);
    await waitUntil("marked", () => world.taints.length === 2);
    const conditions = [{ type: "Ready", status: "True", lastHeartbeatTime: "later" }];
    const body = { status: { conditions } };
    await world.api.patch(NODES, { name: "n1" }, { type: "merge", body, subresource: "status" });
    await waitUntil("free", () => world.taints.length === 0);
  });

  test("pressure and cordons become taints; those of others stay", async () => {
    const world = new World();
    await world.start();
    await world.api.patch(
      NODES,
      { name: "n1" },
      {
        type: "merge",
        body: { spec: { unschedulable: true, taints: [{ key: "a/gpu", effect: "NoSchedule" }] } },
      },
    );
    await waitUntil("cordoned", () => world.taints.includes("unschedulable:NoSchedule"));
    const conditions = [
      { type: "Ready", status: "True" },
      { type: "DiskPressure", status: "True" },
    ];
    const body = { status: { conditions } };
    await world.api.patch(NODES, { name: "n1" }, { type: "merge", body, subresource: "status" });
    await waitUntil("under pressure", () => world.taints.includes("disk-pressure:NoSchedule"));
    expect(world.taints[0]).toBe("gpu:NoSchedule");
  });
});
