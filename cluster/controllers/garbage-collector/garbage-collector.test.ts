import { afterEach, describe, expect, test } from "@jest/globals";
import type { OwnerReference } from "#cluster/api/meta.ts";
import type { Resource } from "#cluster/api/resources.ts";
import {
  CONFIG_MAPS,
  CUSTOM_RESOURCE_DEFINITIONS,
  REPLICA_SETS,
  SECRETS,
} from "#cluster/api/resources.ts";
import { FakeApi } from "#cluster/client/testing/fake-api.ts";
import { startControllers } from "#cluster/client/testing/run-controllers.ts";
import type { RunningControllers } from "#cluster/client/testing/run-controllers.ts";
import { waitUntil } from "#cluster/client/testing/wait-until.ts";
import { runGarbageCollector } from "./garbage-collector.ts";

let running: RunningControllers | undefined;
afterEach(async () => {
  await running?.stop();
});

const TOYS: Resource = {
  group: "example.org",
  version: "v1",
  plural: "toys",
  kind: "Toy",
  namespaced: true,
};

/** Objects named after their place in the family; all in namespace default. */
class Family {
  readonly api = new FakeApi();

  start(): void {
    running = startControllers(this.api, [runGarbageCollector]);
  }

  async add(name: string, owners: OwnerReference[] = []): Promise<OwnerReference> {
    const metadata = { namespace: "default", name, ownerReferences: owners };
    const created = await this.api.create(CONFIG_MAPS, { metadata });
    const uid = created.metadata.uid ?? "";
    return { apiVersion: "v1", kind: "ConfigMap", name, uid };
  }

  delete(name: string, policy: "Background" | "Foreground" | "Orphan"): Promise<void> {
    const ref = { namespace: "default", name };
    return this.api.delete(CONFIG_MAPS, ref, { propagationPolicy: policy });
  }

  get names(): string {
    return this.api
      .peek(CONFIG_MAPS)
      .map(({ metadata }) => metadata.name)
      .join(" ");
  }

  owners(name: string): string[] {
    const object = this.api.peek(CONFIG_MAPS).find(({ metadata }) => metadata.name === name);
    return (object?.metadata.ownerReferences ?? []).map((owner) => owner.name);
  }

  /** Waits until the collector has done everything that there is to do now. */
  async settle(): Promise<void> {
    const marker = await this.add("marker", [absent("marker-owner")]);
    expect(marker.name).toBe("marker");
    await waitUntil("the marker is collected", () => !this.names.includes("marker"));
  }
}

function absent(name: string): OwnerReference {
  return { apiVersion: "v1", kind: "ConfigMap", name, uid: `uid-of-${name}` };
}

describe("garbage collector", () => {
  test("background: dependents follow, over generations", async () => {
    const family = new Family();
    const root = await family.add("root");
    const child = await family.add("child", [root]);
    await family.add("grandchild", [child]);
    await family.add("stranger");
    family.start();
    await family.settle();
    await family.delete("root", "Background");
    await waitUntil("the family is gone", () => family.names === "stranger");
  });

  test("an object lives while one owner does, and loses the other reference", async () => {
    const family = new Family();
    const a = await family.add("a");
    const b = await family.add("b");
    await family.add("child", [a, b]);
    family.start();
    await family.settle();
    await family.delete("a", "Background");
    await waitUntil("one owner is left", () => family.owners("child").join() === "b");
    await family.delete("b", "Background");
    await waitUntil("gone", () => family.names === "");
  });

  test("collects at its start what lost its owner before", async () => {
    const family = new Family();
    await family.add("late", [absent("long-gone")]);
    const present = await family.add("present");
    const impostor = { ...present, uid: "another-uid" };
    await family.add("of-a-namesake", [impostor]);
    family.start();
    await waitUntil("only the present one is left", () => family.names === "present");
  });

  test("never collects what belongs to a kind that it doesn't know", async () => {
    const family = new Family();
    const unknown = { apiVersion: "example.net/v1", kind: "Thing", name: "t", uid: "t" };
    await family.add("kept", [unknown]);
    family.start();
    await family.settle();
    expect(family.names).toBe("kept");
  });

  test("foreground: the owner goes last, after those that block it", async () => {
    const family = new Family();
    const root = await family.add("root");
    await family.add("child", [{ ...root, blockOwnerDeletion: true }]);
    const held = { namespace: "default", name: "held", finalizers: ["example.org/hold"] };
    const owner = { ...root, blockOwnerDeletion: true };
    await family.api.create(SECRETS, { metadata: { ...held, ownerReferences: [owner] } });
    family.start();
    await family.settle();
    await family.delete("root", "Foreground");
    await waitUntil("the child goes first", () => family.names === "root");
    await family.settle();
    expect(family.names).toBe("root");
    const body = { metadata: { finalizers: null } };
    await family.api.patch(SECRETS, held, { type: "merge", body });
    await waitUntil("then the root", () => family.names === "");
  });

  test("orphan: dependents stay, without the owner", async () => {
    const family = new Family();
    const root = await family.add("root");
    await family.add("child", [root]);
    family.start();
    await family.settle();
    await family.delete("root", "Orphan");
    await waitUntil("the root goes", () => family.names === "child");
    expect(family.owners("child")).toEqual([]);
  });

  test("follows custom resources from the moment that they are served", async () => {
    const family = new Family();
    family.start();
    await family.settle();
    family.api.serve(TOYS);
    await family.api.create(CUSTOM_RESOURCE_DEFINITIONS, {
      metadata: { name: "toys.example.org" },
      spec: {
        group: "example.org",
        names: { kind: "Toy", plural: "toys" },
        scope: "Namespaced",
        versions: [],
      },
    });
    const toy = await family.api.create(TOYS, { metadata: { namespace: "default", name: "bear" } });
    const uid = toy.metadata.uid ?? "";
    const owner = { apiVersion: "example.org/v1", kind: "Toy", name: "bear", uid };
    const metadata = { namespace: "default", name: "r", ownerReferences: [owner] };
    await family.api.create(REPLICA_SETS, { metadata });
    await waitUntil("toys are watched", () =>
      family.api.requests.some(({ verb, resource }) => verb === "watch" && resource.kind === "Toy"),
    );
    await family.api.delete(TOYS, { namespace: "default", name: "bear" });
    await waitUntil("collected", () => family.api.peek(REPLICA_SETS).length === 0);
  });
});
