import { describe, expect, test } from "@jest/globals";
import { PersistentMap } from "./persistent-map.ts";

describe("a persistent map", () => {
  const base = PersistentMap.empty<number>().with([
    ["a", 1],
    ["b", 2],
  ]);

  test("leaves the old one as it was", () => {
    const next = base.with([
      ["a", 3],
      ["b", undefined],
      ["c", 4],
    ]);
    expect(new Map(next.entries())).toEqual(
      new Map([
        ["a", 3],
        ["c", 4],
      ]),
    );
    expect([base.get("a"), base.get("b"), base.size, next.size]).toEqual([1, 2, 2, 2]);
  });

  test("is itself when nothing changes", () => {
    expect(
      base.with([
        ["a", 1],
        ["x", undefined],
      ]),
    ).toBe(base);
  });

  test("holds what a Map holds, whatever is done to both", () => {
    const model = new Map<string, number>();
    let map = PersistentMap.empty<number>();
    for (let step = 0; step < 2000; step++) {
      const key = `key-${(step * 7919) % 97}`;
      const value = step % 3 === 0 ? undefined : step;
      if (value === undefined) model.delete(key);
      else model.set(key, value);
      map = map.with([[key, value]]);
    }
    expect(new Map(map.entries())).toEqual(model);
    expect(map.size).toBe(model.size);
  });
});
