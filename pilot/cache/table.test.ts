import { describe, expect, test } from "@jest/globals";
import { diffTables, missingEndpoints } from "./consistency.ts";
import { ResourceInterner } from "./interner.ts";
import { encodeResource } from "./resource.ts";
import type { EncodedResource } from "./resource.ts";
import { SharedFrames } from "./shared-frames.ts";
import { ResourceTable } from "./table.ts";
import type { TableReader } from "./table.ts";
import { CLUSTER, ENDPOINTS } from "./type-url.ts";
import { decode } from "#pilot/proto/decode.ts";

function cluster(name: string, content = ""): EncodedResource {
  const message = { name, type: "EDS", altStatName: content };
  const result = encodeResource({ type: CLUSTER, name, message, origins: [] });
  if (!result.ok) throw new Error(JSON.stringify(result.problems));
  return result.resource;
}

const names = (list: readonly EncodedResource[]): string[] =>
  list.map((one) => one.name).toSorted();

describe("a resource", () => {
  test("is framed as both kinds of response have it", () => {
    const one = cluster("a", "x".repeat(300));
    const message = { "@type": CLUSTER, name: "a", type: "EDS", altStatName: "x".repeat(300) };
    expect(decode("envoy.service.discovery.v3.DeltaDiscoveryResponse", one.deltaField)).toEqual({
      resources: [{ name: "a", version: one.version, resource: message }],
    });
    expect(decode("envoy.service.discovery.v3.DiscoveryResponse", one.field)).toEqual({
      resources: [message],
    });
  });

  test("has the version of its content and knows which endpoints it needs", () => {
    expect(cluster("a").version).toBe(cluster("a").version);
    expect(cluster("a").version).not.toBe(cluster("a", "2").version);
    expect(cluster("a").endpoints).toBe("a");
  });

  test("is kept once for equal content, and encoded once for a message", () => {
    const interner = new ResourceInterner();
    const input = (message: object) => ({ type: CLUSTER, name: "a", message, origins: [] });
    const [one, other] = [
      interner.encode(input({ name: "a" })),
      interner.encode(input({ name: "a" })),
    ];
    expect(one.ok && other.ok && one.resource === other.resource).toBe(true);
    const message = { name: "b" };
    expect(interner.encode(input(message))).toBe(interner.encode(input(message)));
  });
});

describe("a table", () => {
  test("tells what changed after a position, each name once", () => {
    const table = new ResourceTable(CLUSTER);
    table.apply([cluster("a"), cluster("b")]);
    const position = table.head;
    table.apply([cluster("a", "2"), cluster("c")], ["b"]);
    table.apply([cluster("a", "3")]);
    const delta = table.since(position);
    expect(names(delta?.changed ?? [])).toEqual(["a", "c"]);
    expect(names(delta?.removed ?? [])).toEqual(["b"]);
    expect(table.since(table.head)).toEqual({ changed: [], removed: [] });
  });

  test("doesn't count equal content as a change", () => {
    const table = new ResourceTable(CLUSTER);
    expect(table.apply([cluster("a")])).toBe(true);
    expect(table.apply([cluster("a")], ["unknown"])).toBe(false);
  });

  test("forgets removals that every reader has passed, and keeps them for a slow one", () => {
    const table = new ResourceTable(CLUSTER);
    const slow: TableReader = { positionIn: () => 1 };
    table.readers.add(slow);
    let round = 0;
    const churn = (): void => {
      round++;
      const some = Array.from({ length: 200 }, (_, index) => cluster(`c${round}-${index}`));
      table.apply(some);
      table.apply([], names(some));
    };
    churn();
    expect(table.remembered).toBe(200);
    table.readers.delete(slow);
    for (let times = 0; times < 3; times++) churn();
    expect(table.remembered).toBeLessThan(400);
    expect(table.since(1)).toBeUndefined();
  });

  test("brings a reader to the same content whenever it looks", () => {
    const table = new ResourceTable(CLUSTER);
    const seen = new Map<string, string>();
    let position = 0;
    let seed = 7;
    const random = (below: number): number => {
      seed = (seed * 1103515245 + 12345) % 2147483648;
      return seed % below;
    };
    for (let step = 0; step < 3000; step++) {
      const name = `c${random(40)}`;
      if (random(3) === 0) table.apply([], [name]);
      else table.apply([cluster(name, String(random(5)))]);
      if (random(10) > 0) continue;
      const delta = table.since(position);
      for (const one of delta?.changed ?? []) seen.set(one.name, one.version);
      for (const one of delta?.removed ?? []) seen.delete(one.name);
      position = table.head;
      const content = [...table.resources()].map((one): [string, string] => [
        one.name,
        one.version,
      ]);
      expect(seen).toEqual(new Map(content));
    }
  });

  test("is joined once for all streams until it changes", () => {
    const table = new ResourceTable(CLUSTER);
    const frames = new SharedFrames();
    table.apply([cluster("a"), cluster("b")]);
    const first = frames.all(table, "delta");
    expect(frames.all(table, "delta")).toBe(first);
    table.apply([cluster("a", "2")]);
    expect(frames.all(table, "delta")).not.toBe(first);
  });
});

test("differences and missing endpoints are named", () => {
  const [left, right] = [new ResourceTable(CLUSTER), new ResourceTable(CLUSTER)];
  left.apply([cluster("a"), cluster("b")]);
  right.apply([cluster("a", "2"), cluster("c")]);
  expect(diffTables([left], [right])).toEqual([
    `different: ${CLUSTER} a`,
    `only left: ${CLUSTER} b`,
    `only right: ${CLUSTER} c`,
  ]);
  expect(missingEndpoints([left, new ResourceTable(ENDPOINTS)])).toEqual(["a", "b"]);
});
