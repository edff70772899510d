import { describe, expect, test } from "@jest/globals";
import { createAddressPool } from "./address-pool.ts";

describe("address pool", () => {
  test("gives neither network, broadcast nor reserved addresses, and each only once", () => {
    const pool = createAddressPool("192.0.2.0/29", ["192.0.2.1"]);
    const given = Array.from({ length: 6 }, () => pool.allocate());
    expect(given).toEqual([
      "192.0.2.2",
      "192.0.2.3",
      "192.0.2.4",
      "192.0.2.5",
      "192.0.2.6",
      undefined,
    ]);
  });

  test("uses a released address again only after all others", () => {
    const pool = createAddressPool("192.0.2.0/29");
    expect(pool.allocate()).toBe("192.0.2.1");
    pool.release("192.0.2.1");
    const next = Array.from({ length: 6 }, () => pool.allocate());
    expect(next.at(0)).toBe("192.0.2.2");
    expect(next.at(-1)).toBe("192.0.2.1");
  });

  test("takes certain addresses after a restart, if they are free and its own", () => {
    const pool = createAddressPool("192.0.2.0/29");
    expect(pool.reserve("192.0.2.1")).toBe(true);
    expect(pool.reserve("192.0.2.1")).toBe(false);
    expect(pool.reserve("198.51.100.1")).toBe(false);
    expect(pool.reserve("not an address")).toBe(false);
    expect(pool.allocate()).toBe("192.0.2.2");
  });
});
