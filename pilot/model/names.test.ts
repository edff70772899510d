import { describe, expect, test } from "@jest/globals";
import { canonicalCidr } from "./cidr.ts";
import { parseDuration } from "./duration.ts";
import { covers, overlaps, wildcardsOf } from "./host.ts";
import { hostname, resolveHost } from "./name.ts";
import { protocolOfPort } from "./protocol.ts";

describe("a host", () => {
  test.each([
    ["reviews", "reviews.default.svc.cluster.local"],
    ["Reviews.Other", "reviews.other"],
    ["example.org.", "example.org"],
    ["*", "*"],
    ["2001:db8::1", "2001:db8::1"],
  ])("%s means %s", (text, full) => {
    expect(resolveHost(text, "default", "cluster.local")).toBe(full);
  });

  test.each([
    ["*", "a.example.org", true],
    ["*.example.org", "a.example.org", true],
    ["*.example.org", "*.a.example.org", true],
    ["*.example.org", "example.org", false],
    ["*.a.example.org", "*.example.org", false],
    ["a.example.org", "*.example.org", false],
  ])("%s covers %s: %s", (pattern, host, is) => {
    expect(covers(pattern, host)).toBe(is);
  });

  test("may be covered by wildcards, the nearest first", () => {
    expect(wildcardsOf(hostname("a.b.c"))).toEqual(["*.b.c", "*.c", "*"]);
    expect(wildcardsOf(hostname("*.b.c"))).toEqual(["*.c", "*"]);
    expect(overlaps("a.b", "*.b")).toBe(true);
  });
});

describe("a duration", () => {
  test.each([
    ["1s", 1000],
    ["1h2m3.5s", 3_723_500],
    ["250ms", 250],
    ["0", 0],
    ["1", undefined],
    ["-1s", undefined],
    ["soon", undefined],
  ])("%s is %s ms", (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });
});

describe("a range", () => {
  test.each([
    ["10.1.2.3/8", "10.0.0.0/8"],
    ["10.1.2.3", "10.1.2.3"],
    ["0.0.0.0/0", "0.0.0.0/0"],
    ["2001:DB8:0:0::1/33", "2001:db8::/33"],
    ["::ffff:192.0.2.1", "::ffff:c000:201"],
    ["10.0.0.0/33", undefined],
    ["10.0.0.0/", undefined],
    ["host", undefined],
  ])("%s is written %s", (text, canonical) => {
    expect(canonicalCidr(text)).toBe(canonical);
  });
});

describe("a port's protocol", () => {
  test.each([
    [{ port: 80, name: "http" }, "HTTP"],
    [{ port: 80, name: "http2-api" }, "HTTP2"],
    [{ port: 80, name: "grpc-web-x" }, "GRPC-Web"],
    [{ port: 80, name: "https" }, "HTTPS"],
    [{ port: 80, name: "web" }, "Auto"],
    [{ port: 3306, name: "db" }, "TCP"],
    [{ port: 3306, name: "http" }, "HTTP"],
    [{ port: 80, name: "tcp", appProtocol: "http" }, "HTTP"],
    [{ port: 80, appProtocol: "kubernetes.io/h2c" }, "HTTP2"],
    [{ port: 53, name: "dns", transport: "UDP" }, "UDP"],
  ])("of %j is %s", (port, protocol) => {
    expect(protocolOfPort(port)).toBe(protocol);
  });
});
