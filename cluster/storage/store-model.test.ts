import { describe, expect, test } from "@jest/globals";
import { createMemoryStore } from "./memory-store.ts";
import type { Store, StoreEvent } from "./store.ts";

/** A small deterministic generator (mulberry32), so that a failure's seed reproduces it. */
function randomOf(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

const KEYS = ["/a/1", "/a/2", "/a/3", "/b/1", "/b/2", "/c"];

/** Performs a random write on both, and checks that they answer alike. */
async function step(
  store: Store,
  model: Map<string, [string, number]>,
  random: (n: number) => number,
) {
  const key = KEYS[random(KEYS.length)] ?? "";
  const held = model.get(key);
  const expected = random(3) === 0 ? undefined : (held?.[1] ?? 0) - (random(4) === 0 ? 1 : 0);
  const value = `v${random(1_000)}`;
  const matches = held !== undefined && (expected === undefined || expected === held[1]);
  switch (random(3)) {
    case 0: {
      const result = await store.create(key, value);
      expect(result.ok).toBe(held === undefined);
      if (result.ok) model.set(key, [value, result.stored.revision]);
      break;
    }
    case 1: {
      const result = await store.updateIf(key, expected, value);
      expect(result.ok).toBe(matches);
      if (result.ok) model.set(key, [value, result.stored.revision]);
      break;
    }
    default: {
      const result = await store.deleteIf(key, expected);
      expect(result.ok).toBe(matches);
      if (result.ok) model.delete(key);
    }
  }
}

function stateOf(store: Store, prefix: string, revision?: number): string[] {
  const result = store.list(prefix, { revision });
  if (!result.ok) throw new Error(result.reason);
  return result.values.map((stored) => `${stored.key}=${stored.value}@${stored.revision}`);
}

function expectedState(model: ReadonlyMap<string, [string, number]>, prefix: string): string[] {
  return [...model]
    .filter(([key]) => key.startsWith(prefix))
    .map(([key, [value, revision]]) => `${key}=${value}@${revision}`)
    .toSorted();
}

describe("any sequence of writes", () => {
  test.each(Array.from({ length: 20 }, (_, i) => [i + 1]))(
    "reads like a map, now and at every past revision, and by watching (seed %i)",
    async (seed) => {
      const random = randomOf(seed);
      const store = createMemoryStore();
      const model = new Map<string, [string, number]>();
      const past = new Map<number, string[]>();
      for (let i = 0; i < 120; i++) {
        past.set(store.revision, expectedState(model, "/a/"));
        await step(store, model, random);
        expect(stateOf(store, "/")).toEqual(expectedState(model, "/"));
      }
      for (const [revision, state] of past) expect(stateOf(store, "/a/", revision)).toEqual(state);
      const start = [...past.keys()][random(past.size)] ?? 0;
      expect(replay(store, past.get(start) ?? [], start)).toEqual(expectedState(model, "/a/"));
      await store.close();
    },
  );
});

/** A list at a revision plus the watch from it: what every informer holds. */
function replay(store: Store, listed: readonly string[], from: number): string[] {
  const copy = new Map(listed.map((line) => [line.split("=")[0] ?? "", line]));
  const apply = ({ key, current }: StoreEvent): void => {
    if (current === undefined) copy.delete(key);
    else copy.set(key, `${key}=${current.value}@${current.revision}`);
  };
  expect(store.watch("/a/", from, apply).ok).toBe(true);
  return [...copy.values()].toSorted();
}
