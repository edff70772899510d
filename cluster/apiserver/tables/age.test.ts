import { expect, test } from "@jest/globals";
import { ageSince, humanDuration } from "./age.ts";

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

test.each([
  [-5 * SECOND, "<invalid>"],
  [-1 * SECOND, "0s"],
  [0, "0s"],
  [119 * SECOND, "119s"],
  [2 * MINUTE, "2m"],
  [3 * MINUTE + 20 * SECOND, "3m20s"],
  [10 * MINUTE + 20 * SECOND, "10m"],
  [179 * MINUTE, "179m"],
  [3 * HOUR, "3h"],
  [5 * HOUR + 7 * MINUTE, "5h7m"],
  [47 * HOUR, "47h"],
  [2 * DAY + 3 * HOUR, "2d3h"],
  [12 * DAY + 3 * HOUR, "12d"],
  [729 * DAY, "729d"],
  [2 * 365 * DAY + 10 * DAY, "2y10d"],
  [9 * 365 * DAY, "9y"],
])("%d ms reads %s", (duration, text) => {
  expect(humanDuration(duration)).toBe(text);
});

test("an age without a time is unknown", () => {
  expect(ageSince(undefined, 0)).toBe("<unknown>");
  expect(ageSince("soon", 0)).toBe("<invalid>");
  expect(ageSince("1970-01-01T00:00:00Z", 5000)).toBe("5s");
});
