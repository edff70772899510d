import { expect, test } from "@jest/globals";
import type { KubeObject } from "#cluster/api/meta.ts";
import { ObjectFeed } from "./object-feed.ts";
import { allServices, createPushContext, updatePushContext } from "#pilot/model/push-context.ts";
import type { Change } from "#pilot/model/change.ts";

function service(at: number): KubeObject {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: `s-${at}`, namespace: "default" },
    spec: { ports: [{ name: "http", port: 80 }] },
  };
}

test("a burst of 10,000 objects arrives wholly, in turns of the event loop", async () => {
  const batches: Change[][] = [];
  let turn = 0;
  const feed = new ObjectFeed({
    clusterDomain: "cluster.local",
    log: (line) => {
      throw new Error(line);
    },
    apply(changes) {
      (batches[turn] ??= []).push(...changes);
    },
  });
  let done = false;
  const next = (): void => {
    turn++;
    if (!done) setImmediate(next);
  };
  setImmediate(next);
  for (let at = 0; at < 10_000; at++) feed.handle({ type: "upsert", object: service(at) });
  feed.handle({ type: "delete", object: service(0) });
  await feed.drained();
  done = true;
  const sizes = batches.map((batch) => batch.length);
  expect(Math.max(...sizes)).toBeLessThan(1500);
  const context = updatePushContext(createPushContext([]), batches.flat());
  expect(allServices(context)).toHaveLength(9_999);
});

test("an object that breaks its conversion is told, and the others arrive", () => {
  const logged: string[] = [];
  const changes: Change[] = [];
  const feed = new ObjectFeed({
    clusterDomain: "cluster.local",
    log: (line) => logged.push(line),
    apply: (more) => changes.push(...more),
  });
  const broken = { ...service(1), spec: { ports: 80 } } as unknown as KubeObject;
  feed.handle({ type: "upsert", object: broken });
  feed.handle({ type: "upsert", object: service(2) });
  expect(logged).toEqual([expect.stringContaining("Service default/s-1 can't be read")]);
  expect(allServices(createPushContext(changes)).map(({ name }) => name)).toEqual(["s-2"]);
});
