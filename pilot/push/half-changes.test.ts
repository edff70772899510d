import { describe, expect, test } from "@jest/globals";
import { HalfChanges } from "./half-changes.ts";
import { configChange, namespaceChange } from "./testing/changes.ts";
import { keyOfChange } from "#pilot/model/change.ts";
import type { Change } from "#pilot/model/change.ts";
import { objectKey } from "#pilot/model/name.ts";
import { createPushContext, updatePushContext } from "#pilot/model/push-context.ts";
import type { PushContext } from "#pilot/model/push-context.ts";

function route(subset: string, name = "web"): Change {
  const http = [{ route: [{ destination: { host: "web", subset } }] }];
  return configChange("VirtualService", name, { hosts: [name], http });
}

function rule(...names: string[]): Change {
  const subsets = names.map((name) => ({ name, labels: {} }));
  return configChange("DestinationRule", "web", { host: "web", subsets });
}

const noRule: Change = { type: "delete", key: objectKey("DestinationRule", "default", "web") };

/** A world and what has come into effect in it, one list a step. */
class World {
  readonly halves = new HalfChanges();
  context: PushContext;
  now = 0;

  constructor(...changes: Change[]) {
    this.context = createPushContext(changes);
  }

  step(...batch: Change[]): string[] {
    const ready = this.halves.admit(batch, this.context, this.now);
    this.context = updatePushContext(this.context, ready);
    return ready.map((change) => keyOfChange(change));
  }
}

const ROUTE = "VirtualService/default/web";
const RULE = "DestinationRule/default/web";

describe("half changes", () => {
  test("a route waits for the subset that comes after it", () => {
    const world = new World(route("a"), rule("a"));
    expect(world.step(route("b"), namespaceChange("other"))).toEqual(["Namespace//other"]);
    expect(world.halves.dueMs).toBe(250);
    world.now = 20;
    expect(world.step(rule("a", "b"))).toEqual([ROUTE, RULE]);
    expect(world.halves.dueMs).toBeUndefined();
  });

  test("a subset stays until the route that names it has gone elsewhere", () => {
    const world = new World(route("a"), rule("a"));
    expect(world.step(rule("b"))).toEqual([]);
    expect(world.step(route("b"))).toEqual([RULE, ROUTE]);
    expect(world.step(noRule)).toEqual([]);
    expect(
      world.step({ type: "delete", key: objectKey("VirtualService", "default", "web") }),
    ).toEqual([RULE, ROUTE]);
  });

  test("what waits takes along what needs it", () => {
    const world = new World(route("a"), route("a", "second"), rule("a"));
    expect(world.step(rule("b"), route("b"))).toEqual([]);
    expect(world.step(route("b", "second"))).toHaveLength(3);
  });

  test("nothing waits for ever, however often it is sent", () => {
    const world = new World();
    expect(world.step(route("a"))).toEqual([]);
    world.now = 200;
    expect(world.step(route("nowhere"))).toEqual([]);
    world.now = 250;
    expect(world.step()).toEqual([ROUTE]);
    expect(world.step(rule("b"))).toEqual([RULE]);
  });

  test("a change that is taken back leaves nothing behind", () => {
    const world = new World(route("a"), rule("a"));
    expect(world.step(route("b"))).toEqual([]);
    expect(world.step(route("a"))).toEqual([ROUTE]);
    expect(world.halves.dueMs).toBeUndefined();
  });
});
