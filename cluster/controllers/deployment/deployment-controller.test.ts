import { afterEach, describe, expect, test } from "@jest/globals";
import type {
  Deployment,
  DeploymentCondition,
  DeploymentSpec,
  ReplicaSet,
} from "#cluster/api/generated/apps-v1.ts";
import { DEPLOYMENTS, EVENTS, PODS, REPLICA_SETS } from "#cluster/api/resources.ts";
import { FakeApi } from "#cluster/client/testing/fake-api.ts";
import { FakeClock } from "#cluster/client/testing/fake-clock.ts";
import { startControllers } from "#cluster/client/testing/run-controllers.ts";
import type { RunningControllers } from "#cluster/client/testing/run-controllers.ts";
import { waitUntil } from "#cluster/client/testing/wait-until.ts";
import { runDeploymentController } from "./deployment-controller.ts";

let running: RunningControllers | undefined;
afterEach(async () => {
  await running?.stop();
  running = undefined;
});

const REF = { namespace: "default", name: "web" };
const REVISION = "deployment.kubernetes.io/revision";

/** A Deployment in a FakeApi, and short ways to look at it. */
class World {
  readonly api = new FakeApi();
  readonly clock = new FakeClock();

  async deploy(spec: Partial<DeploymentSpec>): Promise<void> {
    await this.api.create(DEPLOYMENTS, {
      metadata: REF,
      spec: {
        selector: { matchLabels: { app: "web" } },
        template: template("v1"),
        ...spec,
      },
    });
    running = startControllers(this.api, [runDeploymentController], this.clock);
  }

  get deployment(): Deployment {
    const [deployment] = this.api.peek(DEPLOYMENTS);
    if (deployment === undefined) throw new Error("no deployment");
    return deployment;
  }

  /** Image → wanted pods. */
  get sizes(): Record<string, number> {
    const sets = this.api.peek(REPLICA_SETS);
    return Object.fromEntries(sets.map((set) => [imageOf(set), set.spec?.replicas ?? -1]));
  }

  condition(type: string): DeploymentCondition | undefined {
    return this.deployment.status?.conditions?.find((condition) => condition.type === type);
  }

  change(spec: object): Promise<Deployment> {
    return this.api.patch(DEPLOYMENTS, REF, { type: "merge", body: { spec } });
  }

  /** Plays the ReplicaSet controller: all pods of the image (or of all) are there and available. */
  async settle(image?: string): Promise<void> {
    for (const set of this.api.peek(REPLICA_SETS)) {
      if (image !== undefined && imageOf(set) !== image) continue;
      const replicas = set.spec?.replicas ?? 0;
      const status = {
        replicas,
        readyReplicas: replicas,
        availableReplicas: replicas,
        observedGeneration: set.metadata.generation,
      };
      await this.api.patch(REPLICA_SETS, set.metadata, {
        type: "merge",
        body: { status },
        subresource: "status",
      });
    }
  }

  async settleUntil(what: string, condition: () => boolean): Promise<void> {
    await waitUntil(what, async () => {
      await this.settle();
      return condition();
    });
  }
}

function template(image: string): DeploymentSpec["template"] {
  return {
    metadata: { labels: { app: "web" } },
    spec: { containers: [{ name: "c", image }] },
  };
}

function imageOf(set: ReplicaSet): string {
  return set.spec?.template?.spec?.containers[0]?.image ?? "";
}

describe("deployment controller", () => {
  test("creates a ReplicaSet with the hash of the template and reports until complete", async () => {
    const world = new World();
    await world.deploy({ replicas: 3 });
    await waitUntil("status", () => world.deployment.status?.observedGeneration === 1);
    const [set] = world.api.peek(REPLICA_SETS);
    const hash = set?.metadata.labels?.["pod-template-hash"];
    expect(set).toMatchObject({
      metadata: {
        name: `web-${hash}`,
        annotations: {
          [REVISION]: "1",
          "deployment.kubernetes.io/desired-replicas": "3",
          "deployment.kubernetes.io/max-replicas": "4",
        },
      },
      spec: { replicas: 3, selector: { matchLabels: { app: "web", "pod-template-hash": hash } } },
    });
    expect(world.condition("Progressing")).toMatchObject({ reason: "NewReplicaSetCreated" });
    expect(world.condition("Available")).toMatchObject({ status: "False" });
    await world.settle();
    await waitUntil(
      "complete",
      () => world.condition("Progressing")?.reason === "NewReplicaSetAvailable",
    );
    expect(world.deployment.metadata.annotations?.[REVISION]).toBe("1");
    expect(world.deployment.status).toMatchObject({ availableReplicas: 3, updatedReplicas: 3 });
    expect(world.condition("Progressing")?.message).toBe(
      `ReplicaSet "web-${hash}" has successfully progressed.`,
    );
    await waitUntil("event", () => world.api.peek(EVENTS).length === 1);
    expect(world.api.peek(EVENTS)[0]?.message).toBe(
      `Scaled up replica set web-${hash} from 0 to 3`,
    );
  });

  test("rolls a new template out, keeps the old revision, rolls back to it", async () => {
    const world = new World();
    await world.deploy({ replicas: 4 });
    await world.settleUntil("v1 is up", () => world.deployment.status?.availableReplicas === 4);
    await world.change({ template: template("v2") });
    await waitUntil(
      "v2 starts within the surge",
      () => world.sizes.v2 === 1 && world.sizes.v1 === 3,
    );
    await world.settleUntil("v2 replaces v1", () => world.sizes.v1 === 0 && world.sizes.v2 === 4);
    await waitUntil("revision", () => world.deployment.metadata.annotations?.[REVISION] === "2");
    await world.change({ template: template("v1") });
    await world.settleUntil("v1 replaces v2", () => world.sizes.v2 === 0 && world.sizes.v1 === 4);
    expect(world.api.peek(REPLICA_SETS)).toHaveLength(2);
    const first = world.api.peek(REPLICA_SETS).find((set) => imageOf(set) === "v1");
    expect(first?.metadata.annotations).toMatchObject({
      [REVISION]: "3",
      "deployment.kubernetes.io/revision-history": "1",
    });
  });

  test("Recreate stops all old pods before the first new one", async () => {
    const world = new World();
    await world.deploy({ replicas: 2, strategy: { type: "Recreate" } });
    await world.settleUntil("v1 is up", () => world.deployment.status?.availableReplicas === 2);
    const [old] = world.api.peek(REPLICA_SETS);
    const owner = { apiVersion: "apps/v1", kind: "ReplicaSet", name: old?.metadata.name ?? "" };
    await world.api.create(PODS, {
      metadata: {
        ...REF,
        name: "last",
        ownerReferences: [{ ...owner, uid: old?.metadata.uid ?? "", controller: true }],
      },
    });
    await world.change({ template: template("v2") });
    await waitUntil("v1 is stopped", () => world.sizes.v1 === 0);
    await world.settle();
    await waitUntil("that is observed", () => world.deployment.status?.replicas === 0);
    expect(world.sizes).toEqual({ v1: 0 });
    await world.api.delete(PODS, { ...REF, name: "last" });
    await waitUntil("v2 starts", () => world.sizes.v2 === 2);
  });

  test("scales without a new revision, also while paused", async () => {
    const world = new World();
    await world.deploy({ replicas: 1, paused: false });
    await world.settleUntil("up", () => world.deployment.status?.availableReplicas === 1);
    await world.change({ paused: true, replicas: 5, template: template("v2") });
    await waitUntil("scaled", () => world.sizes.v1 === 5);
    await waitUntil("paused", () => world.condition("Progressing")?.reason === "DeploymentPaused");
    expect(world.sizes).toEqual({ v1: 5 });
    await world.change({ paused: false });
    await world.settleUntil("resumed", () => world.sizes.v2 === 5);
  });

  test("reports a rollout that doesn't progress, after its deadline", async () => {
    const world = new World();
    await world.deploy({ replicas: 1, progressDeadlineSeconds: 60 });
    await waitUntil("it waits", () => world.clock.pending > 0);
    world.clock.advance(62_000);
    await waitUntil(
      "late",
      () => world.condition("Progressing")?.reason === "ProgressDeadlineExceeded",
    );
    expect(world.condition("Progressing")?.status).toBe("False");
  });

  test("keeps no more old revisions than wanted", async () => {
    const world = new World();
    await world.deploy({ replicas: 1, revisionHistoryLimit: 1 });
    for (const image of ["v2", "v3", "v4"]) {
      await world.settleUntil(
        "up",
        () => world.condition("Progressing")?.reason === "NewReplicaSetAvailable",
      );
      await world.change({ template: template(image) });
      await world.settleUntil(`${image} is up`, () => world.sizes[image] === 1);
    }
    await world.settleUntil("one old is left", () => world.api.peek(REPLICA_SETS).length === 2);
    expect(Object.keys(world.sizes).toSorted()).toEqual(["v3", "v4"]);
  });

  test("a name taken by a stranger leads to another name", async () => {
    const world = new World();
    await world.deploy({ replicas: 1 });
    await waitUntil("created", () => world.api.peek(REPLICA_SETS).length === 1);
    const [set] = world.api.peek(REPLICA_SETS);
    await running?.stop();
    const other = new World();
    await other.api.create(REPLICA_SETS, { metadata: { ...REF, name: set?.metadata.name ?? "" } });
    await other.deploy({ replicas: 1 });
    await waitUntil("another name", () => other.api.peek(REPLICA_SETS).length === 2);
    expect(other.deployment.status?.collisionCount).toBe(1);
  });
});
