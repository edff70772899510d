import { expect, test } from "@jest/globals";
import { LackingNames, WantedNames } from "./names.ts";
import { RequestMemory } from "./request-memory.ts";
import { Subscription } from "./subscription.ts";
import { resource } from "./testing/stream-harness.ts";
import { ResourceTable } from "#pilot/cache/table.ts";
import { ENDPOINTS } from "#pilot/cache/type-url.ts";

const NAMES: readonly string[] = Array.from({ length: 100 }, (_none, at) => `outbound|${at}`);

function tableWith(names: readonly string[]): ResourceTable {
  const table = new ResourceTable(ENDPOINTS);
  table.apply(names.map((name) => resource(ENDPOINTS, name)));
  return table;
}

function seeded(): (below: number) => number {
  let seed = 11;
  return (below) => {
    seed = (seed * 1103515245 + 12345) % 2147483648;
    return seed % below;
  };
}

test("wanted names that begin with what others want are a set like any other", () => {
  const random = seeded();
  const names = new WantedNames();
  names.begin(NAMES);
  const expected = new Set(NAMES);
  for (let step = 0; step < 1000; step++) {
    const name = `outbound|${random(120)}`;
    if (random(2) === 0) {
      names.add(name);
      expected.add(name);
    } else expect(names.delete(name)).toBe(expected.delete(name));
    expect(names.size).toBe(expected.size);
    expect(names.has(name)).toBe(expected.has(name));
  }
  expect([...names].toSorted()).toEqual([...expected].toSorted());
});

test("names of a table that lacks as a whole lack one by one, and it is taken as a whole", () => {
  const random = seeded();
  for (let round = 0; round < 300; round++) {
    const table = tableWith(NAMES.slice(0, 5));
    const lacking = new LackingNames();
    const expected = new Set<string>();
    for (let step = 0; step < 12; step++) {
      const name = `outbound|${random(7)}`;
      const kind = random(5);
      if (kind === 0) {
        lacking.addAll(table);
        for (const one of table.names()) expected.add(one);
      } else if (kind < 4) {
        lacking.add(name);
        expected.add(name);
      } else {
        lacking.delete(name);
        expected.delete(name);
      }
      expect(lacking.has(name)).toBe(expected.has(name));
      expect(lacking.isEmpty).toBe(expected.size === 0);
    }
    const isWhole = [...table.names()].every((name) => expected.has(name));
    expect(lacking.takeAll(table)).toBe(isWhole);
    if (isWhole) for (const name of table.names()) expected.delete(name);
    expect([...lacking.names()].toSorted()).toEqual([...expected].toSorted());
  }
});

test("a stream that asks for all of a table is sent what it holds, and nothing it hasn't asked for", () => {
  const table = tableWith(NAMES);
  const subscription = new Subscription(ENDPOINTS, [table], { known: new Map() });
  subscription.subscribe(NAMES);
  table.apply(
    [resource(ENDPOINTS, "outbound|new"), resource(ENDPOINTS, "outbound|7", "2")],
    ["outbound|8"],
  );
  expect(subscription.catchUp([table])).toBe(true);
  expect(subscription.takeWholeTables()).toEqual([]);
  const sent = subscription.takeLacking().map(({ name }) => name);
  expect(sent.toSorted()).toEqual(NAMES.filter((name) => name !== "outbound|8").toSorted());
  expect(subscription.takeRemoved()).toEqual(["outbound|8"]);
  expect(subscription.hasMore).toBe(false);
  const other = new Subscription(ENDPOINTS, [table], { known: new Map() });
  const all = [...table.names()];
  other.subscribe(all);
  expect(other.takeWholeTables()).toEqual([table]);
  expect(other.hasMore).toBe(false);
});

test("equal requests are one object, requests of somebody in particular never", () => {
  const field = (tag: number, text: string): Buffer =>
    Buffer.concat([Buffer.from([tag, text.length]), Buffer.from(text)]);
  const names = Buffer.concat(
    Array.from({ length: 300 }, (_none, at) => field(0x1a, `name-${at}`)),
  );
  const memory = new RequestMemory();
  const first = memory.parse("delta", Buffer.from(names));
  expect(first.names).toHaveLength(300);
  expect(memory.parse("delta", Buffer.from(names))).toBe(first);
  expect(memory.parse("sotw", Buffer.from(names))).not.toBe(first);
  const withNode = Buffer.concat([field(0x0a, ""), names]);
  expect(memory.parse("delta", withNode)).not.toBe(memory.parse("delta", withNode));
});
