import { describe, expect, test } from "@jest/globals";
import { checkShape, oneOf, withoutNulls } from "./shape.ts";
import { SHAPES } from "./shapes.ts";

describe("a shape", () => {
  test.each([
    ["nothing at all", undefined, "text", []],
    ["text where text is wanted", "a", "text", []],
    ["a number where text is wanted", 1, "text", ["spec must be text"]],
    ["a fraction of a port", 80.5, "port", ["spec must be a port, 1 to 65535"]],
    ["a negative count", -1, "count", ["spec must be a whole number, not negative"]],
    ["a number that is none", Number.NaN, "number", ["spec must be a number"]],
    ["a value outside of the choice", "C", oneOf("A", "B"), ["spec must be one of A, B"]],
    ["an object where a list is wanted", {}, ["text"], ["spec must be a list"]],
    ["a hole in a list", [null], ["text"], ["spec[0] must not be null"]],
    ["a field that must be there", {}, { "a!": "text" }, ["spec.a is missing"]],
    ["a field that nobody knows", { b: 1 }, { "a!": "text", a: "text" }, ["spec.a is missing"]],
    ["a map's value", { x: 1 }, { "*": "text" }, ["spec.x must be text"]],
    ["a name of Object's prototype", { constructor: 1 }, { a: "text" }, []],
  ] as const)("says of %s what is wrong", (_name, value, shape, wanted) => {
    const problems = checkShape(value, shape, "spec");
    expect(problems.map(({ path, message }) => `${path} ${message}`)).toEqual(wanted);
  });

  test("finds every problem of a rule by its path", () => {
    const spec = {
      hosts: "web",
      http: [{ match: [{ uri: { prefix: 1 } }], route: [{ weight: -1 }], redirect: { port: 0 } }],
    };
    expect(checkShape(spec, SHAPES.VirtualService, "spec").map(({ path }) => path)).toEqual([
      "spec.hosts",
      "spec.http[0].match[0].uri.prefix",
      "spec.http[0].route[0].weight",
      "spec.http[0].route[0].destination",
      "spec.http[0].redirect.port",
    ]);
  });
});

test("members that are null are absent", () => {
  const whole = { a: [{ b: 1 }], c: "" };
  expect(withoutNulls(whole)).toBe(whole);
  expect(withoutNulls({ a: [{ b: 1, c: null }], d: null, e: 0 })).toEqual({ a: [{ b: 1 }], e: 0 });
});
