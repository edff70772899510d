import { describe, expect, test } from "@jest/globals";
import type { VirtualHost } from "#pilot/ir/route.ts";
import { RouteTable } from "./route-table.ts";
import type { PortHost } from "./virtual-hosts.ts";

function draft(name: string, domains: readonly string[], ruleOnly = false): PortHost {
  const host = { name, domains, routes: [], requireTls: false, origins: [] };
  return { port: 80, host, ruleOnly };
}

function placed(hosts: readonly VirtualHost[]): Record<string, readonly string[]> {
  return Object.fromEntries(hosts.map(({ name, domains }) => [name, domains]));
}

describe("domains that several hosts ask for", () => {
  test("belong to hosts that rules declare, then to the first by name, whoever came first", () => {
    const table = new RouteTable();
    table.update(new Map([["b", draft("b", ["b", "X", "y"])]]));
    table.update(new Map([["a", draft("a", ["a", "x"])]]));
    table.update(new Map([["z", draft("z", ["y"], true)]]));
    expect(placed(table.hosts)).toEqual({ a: ["a", "x"], b: ["b"], z: ["y"] });
  });

  test("go to the next when they are let go, and a host without any is not there", () => {
    const table = new RouteTable();
    table.update(
      new Map([
        ["a", draft("a", ["x"])],
        ["b", draft("b", ["x"])],
      ]),
    );
    expect(placed(table.hosts)).toEqual({ a: ["x"] });
    const { gone, fresh } = table.update(new Map([["a", undefined]]));
    expect([placed(gone), placed(fresh)]).toEqual([{ a: ["x"] }, { b: ["x"] }]);
  });

  test("stay where they are when only routes change", () => {
    const table = new RouteTable();
    const other = draft("b", ["x", "b"]);
    table.update(
      new Map([
        ["a", draft("a", ["x"])],
        ["b", other],
      ]),
    );
    const changed = { ...other, host: { ...other.host, requireTls: true } };
    const { gone, fresh } = table.update(new Map([["b", changed]]));
    expect([gone.length, placed(fresh)]).toEqual([1, { b: ["b"] }]);
  });
});
