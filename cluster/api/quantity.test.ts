import { describe, expect, test } from "@jest/globals";
import {
  canonicalQuantity,
  compareQuantities,
  parseQuantity,
  quantityBytes,
  quantityMilli,
} from "./quantity.ts";

describe("quantities", () => {
  test.each([
    ["0", "0"],
    ["1", "1"],
    ["0.5", "500m"],
    [".5", "500m"],
    ["1.", "1"],
    ["1000m", "1"],
    ["1500m", "1500m"],
    ["100M", "100M"],
    ["1000k", "1M"],
    ["1024Mi", "1Gi"],
    ["1.5Gi", "1536Mi"],
    ["1000Mi", "1000Mi"],
    ["0.5Ki", "512"],
    ["1e3", "1e3"],
    ["1E", "1E"],
    ["2E3", "2e3"],
    ["1e1", "10"],
    ["-1", "-1"],
    ["+3", "3"],
    ["0.1n", "1n"],
    ["100u", "100u"],
    ["16Ei", "9223372036854775807"],
  ])("%s is kept as %s", (text, canonical) => {
    expect(canonicalQuantity(text)).toEqual({ ok: true, text: canonical });
  });

  test.each(["", "x", "1 Gi", "1gi", "--1", ".", "1Kii", "1e", "0x1", "9".repeat(99)])(
    "%j is refused",
    (text) => {
      expect(parseQuantity(text)).toMatchObject({ ok: false });
    },
  );

  test("cores are counted in thousandths and memory in bytes, rounded up", () => {
    expect(quantityMilli("250m")).toBe(250);
    expect(quantityMilli("2")).toBe(2000);
    expect(quantityMilli("1u")).toBe(1);
    expect(quantityBytes("128Mi")).toBe(134217728);
    expect(quantityBytes("100m")).toBe(1);
  });

  test("quantities of different suffixes compare by value", () => {
    expect(compareQuantities("1Gi", "1024Mi")).toBe(0);
    expect(compareQuantities("1G", "1Gi")).toBeLessThan(0);
    expect(compareQuantities("2", "1999m")).toBeGreaterThan(0);
  });
});
