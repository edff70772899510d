import { describe, expect, test } from "@jest/globals";
import { equalJson, getOwn, isObject, setOwn } from "#cluster/apiserver/schema/json.ts";
import { applyMergePatch } from "./merge-patch.ts";

describe("merge patch", () => {
  test.each<[string, unknown, unknown, unknown]>([
    ["sets and adds", { a: 1 }, { a: 2, b: 3 }, { a: 2, b: 3 }],
    ["removes by null", { a: 1, b: 2 }, { a: null }, { b: 2 }],
    ["goes down into objects", { a: { b: 1, c: 2 } }, { a: { c: null } }, { a: { b: 1 } }],
    ["replaces lists", { a: [1, 2] }, { a: [3] }, { a: [3] }],
    ["drops nulls of what it adds", {}, { a: { b: null, c: 1 } }, { a: { c: 1 } }],
    ["replaces a scalar by an object", { a: 1 }, { a: { b: 1 } }, { a: { b: 1 } }],
    ["replaces everything when it is no object", { a: 1 }, [1], [1]],
  ])("%s", (_name, document, patch, expected) => {
    expect(applyMergePatch(document, patch)).toEqual({ ok: true, result: expected });
  });

  test("leaves its inputs alone and shares nothing with them", () => {
    const document = { a: { b: 1 } };
    const patch = { c: { d: 1 } };
    const applied = applyMergePatch(document, patch);
    if (!applied.ok || !isObject(applied.result)) throw new Error("not applied");
    setOwn(applied.result["c"] as Record<string, unknown>, "d", 2);
    expect([document, patch]).toEqual([{ a: { b: 1 } }, { c: { d: 1 } }]);
  });

  test("does not touch prototypes", () => {
    const patch: unknown = JSON.parse('{"__proto__": {"polluted": 1}}');
    const applied = applyMergePatch({}, patch);
    expect(JSON.stringify(applied)).toBe('{"ok":true,"result":{"__proto__":{"polluted":1}}}');
    expect(Object.hasOwn(Object.prototype, "polluted")).toBe(false);
  });

  test("refuses what is nested too deeply", () => {
    let patch: unknown = 1;
    for (let level = 0; level < 5000; level += 1) patch = { a: patch };
    expect(applyMergePatch({}, patch)).toMatchObject({ ok: false });
  });

  test("applied to a, the difference of b and a gives b", () => {
    const random = generator(7);
    for (let round = 0; round < 500; round += 1) {
      const a = randomObject(random, 3);
      const b = randomObject(random, 3);
      const applied = applyMergePatch(a, difference(a, b));
      expect(applied).toEqual({ ok: true, result: b });
    }
  });
});

/** The merge patch that makes b of a; b must be free of nulls. */
function difference(a: Record<string, unknown>, b: Record<string, unknown>): unknown {
  const patch: Record<string, unknown> = {};
  for (const key of Object.keys(a)) if (!Object.hasOwn(b, key)) setOwn(patch, key, null);
  for (const [key, value] of Object.entries(b)) {
    const before = getOwn(a, key);
    if (Object.hasOwn(a, key) && equalJson(before, value)) continue;
    const inner = isObject(before) && isObject(value) ? difference(before, value) : value;
    setOwn(patch, key, inner);
  }
  return patch;
}

type Random = (below: number) => number;

/** A linear congruential generator: the same rounds on every run. */
function generator(seed: number): Random {
  let state = seed;
  return (below) => {
    state = (state * 1103515245 + 12345) % 2147483648;
    return Math.floor((state / 2147483648) * below);
  };
}

function randomObject(random: Random, depth: number): Record<string, unknown> {
  const object: Record<string, unknown> = {};
  const size = random(5);
  for (let index = 0; index < size; index += 1) {
    object["abcdef".charAt(random(6))] = randomValue(random, depth - 1);
  }
  return object;
}

function randomValue(random: Random, depth: number): unknown {
  const choice = random(depth > 0 ? 5 : 3);
  if (choice === 0) return random(3);
  if (choice === 1) return ["x", "", "y"][random(3)];
  if (choice === 2) return random(2) === 0;
  if (choice === 3) return randomObject(random, depth);
  return Array.from({ length: random(3) }, () => randomValue(random, depth - 1));
}
