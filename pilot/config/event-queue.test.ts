import { expect, test } from "@jest/globals";
import { EventQueue } from "./event-queue.ts";

test("a few events are handled at once, in order", () => {
  const seen: number[] = [];
  const queue = new EventQueue<number>((event) => seen.push(event));
  for (const event of [1, 2, 3]) queue.add(event);
  expect(seen).toEqual([1, 2, 3]);
});

test("a burst of 10,000 loses nothing, keeps its order, and lets others have their turn", async () => {
  const seen: number[] = [];
  const queue = new EventQueue<number>((event) => {
    seen.push(event);
    // What handling leads to comes after what was there before.
    if (event === 5000) queue.add(10_000);
  });
  for (let event = 0; event < 10_000; event++) queue.add(event);
  const atOnce = seen.length;
  let turns = 0;
  const count = (): void => {
    turns++;
    if (seen.length <= 10_000) setImmediate(count);
  };
  setImmediate(count);
  await queue.drained();
  expect(atOnce).toBeLessThan(1000);
  expect(turns).toBeGreaterThan(5);
  expect(seen).toEqual(Array.from({ length: 10_001 }, (_none, at) => at));
});
