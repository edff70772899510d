import { describe, expect, test } from "@jest/globals";
import type { ChainMatch, FilterChain } from "#pilot/ir/listener.ts";
import type { IrProblem } from "#pilot/ir/scope-ir.ts";
import { freeChains } from "./free-chains.ts";

function chain(name: string, match: ChainMatch): FilterChain {
  return {
    name,
    match,
    connection: { kind: "tcp", statPrefix: name, clusters: [] },
    origins: [{ object: `VirtualService/default/${name}`, path: "spec.tls[0]" }],
  };
}

function left(...chains: FilterChain[]): unknown[] {
  const problems: IrProblem[] = [];
  const kept = freeChains(chains, problems).map(({ name, match }) => [name, match.serverNames]);
  return [...kept, ...problems.map(({ object, reason }) => [object, reason])];
}

describe("chains of a listener", () => {
  test("lose the names that an earlier one has, and go when none is left", () => {
    expect(
      left(
        chain("a", { serverNames: ["x", "y"] }),
        chain("b", { serverNames: ["y", "z"] }),
        chain("c", { serverNames: ["x"] }),
      ),
    ).toEqual([
      ["a", ["x", "y"]],
      ["b", ["z"]],
      ["VirtualService/default/b", "HostTaken"],
      ["VirtualService/default/c", "HostTaken"],
    ]);
  });

  test("may share a name for other destinations or protocols", () => {
    expect(
      left(
        chain("a", { serverNames: ["x"], destinations: ["192.0.2.0/24"] }),
        chain("b", { serverNames: ["x"], destinations: ["198.51.100.0/24"] }),
        chain("c", { serverNames: ["x"], applicationProtocols: ["istio"] }),
        chain("d", { serverNames: ["x"] }),
      ),
    ).toEqual([
      ["a", ["x"]],
      ["b", ["x"]],
      ["c", ["x"]],
      ["d", ["x"]],
    ]);
  });

  test("are matched by whole labels, each name once", () => {
    expect(left(chain("a", { serverNames: ["*x.example.org", "b", "*.c", "b"] }))).toEqual([
      ["a", ["b", "*.c"]],
      ["VirtualService/default/a", "InvalidServerName"],
    ]);
  });

  test("that take all connections are one", () => {
    expect(left(chain("a", {}), chain("b", {}))).toEqual([
      ["a", undefined],
      ["VirtualService/default/b", "HostTaken"],
    ]);
  });
});
