import { expect, test } from "@jest/globals";
import { closedChainsOf } from "./firewall.ts";

const chain = (name: string, hook?: string, policy?: string) => ({
  chain: { family: "ip", table: "filter", name, hook, policy },
});

test("chains that drop what comes in are found, unless a rule names our links", () => {
  const nftables = [
    chain("INPUT", "input", "drop"),
    chain("FORWARD", "forward", "drop"),
    chain("open", "input", "accept"),
    chain("ufw-user-input"),
  ];
  expect(closedChainsOf({ nftables })).toEqual(["ip filter INPUT"]);
  const match = { op: "==", left: { meta: { key: "iifname" } }, right: "lt-default-adca" };
  const rule = { expr: [{ match }, { accept: null }] };
  expect(closedChainsOf({ nftables: [...nftables, { rule }] })).toEqual([]);
  expect(closedChainsOf({})).toEqual([]);
});
