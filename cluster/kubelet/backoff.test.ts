import { expect, test } from "@jest/globals";
import { RestartBackoff, goDuration } from "./backoff.ts";

test("pauses double from 10 s to 5 min, by key, and end with ten quiet minutes", () => {
  const backoff = new RestartBackoff();
  expect(backoff.remainingMs("a", 0)).toBe(0);
  const pauses = [1, 2, 3, 4, 5, 6, 7].map(() => {
    backoff.lengthen("a", 1000);
    return backoff.delayMs("a") / 1000;
  });
  expect(pauses).toEqual([10, 20, 40, 80, 160, 300, 300]);
  expect(backoff.remainingMs("a", 101_000, 2000)).toBe(201_000);
  expect(backoff.remainingMs("b", 1000)).toBe(0);
  expect(backoff.remainingMs("a", 700_000, 690_000)).toBe(0);
  expect(backoff.delayMs("a")).toBe(0);
});

test.each([
  [10_000, "10s"],
  [80_000, "1m20s"],
  [300_000, "5m0s"],
])("%d ms is %s", (ms, text) => {
  expect(goDuration(ms)).toBe(text);
});
