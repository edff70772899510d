import { describe, expect, test } from "@jest/globals";
import type { Schema } from "./schema.ts";
import { structuralProblems } from "./structural.ts";

const root = (properties: Record<string, unknown>, rest: object = {}): unknown => ({
  type: "object",
  properties,
  ...rest,
});

describe("a custom resource's schema", () => {
  const sound: Schema = {
    type: "object",
    properties: {
      spec: {
        type: "object",
        properties: {
          port: {
            "x-kubernetes-int-or-string": true,
            anyOf: [{ type: "integer" }, { type: "string" }],
          },
          exact: { type: "string" },
          prefix: { type: "string", pattern: "^/", default: "/" },
        },
        oneOf: [{ required: ["exact"] }, { properties: { prefix: { minLength: 1 } } }],
      },
    },
  };

  test("that is structural has no problems", () => {
    expect(structuralProblems(sound, "s")).toEqual([]);
  });

  test.each<[string, unknown, string]>([
    [
      "no type at the root",
      { properties: {} },
      "s.type: Required value: must not be empty at the root",
    ],
    [
      "a root that is no object",
      { type: "array" },
      's.type: Invalid value: "array": must be object at the root',
    ],
    [
      "a field without a type",
      root({ a: {} }),
      "s.properties[a].type: Required value: must not be empty for specified object fields",
    ],
    [
      "an item without a type",
      root({ a: { type: "array", items: {} } }),
      "s.properties[a].items.type: Required value: must not be empty for specified array items",
    ],
    [
      "a list without items",
      root({ a: { type: "array" } }),
      "s.properties[a].items: Required value: must be specified",
    ],
    [
      "a reference",
      root({ a: { type: "object", $ref: "#/x" } }),
      "s.properties[a].$ref: Forbidden: $ref is not supported",
    ],
    [
      "a type inside a combination",
      root({ a: { type: "string" } }, { anyOf: [{ properties: { a: { type: "string" } } }] }),
      "s.anyOf[0].properties[a].type: Forbidden: must be empty to be structural",
    ],
    [
      "a field that only a combination knows",
      root({}, { oneOf: [{ properties: { b: { minLength: 1 } } }] }),
      "s.properties[b]: Required value: because it is defined in s.oneOf[0].properties[b]",
    ],
    [
      "properties and additionalProperties together",
      root({ a: { type: "string" } }, { additionalProperties: { type: "string" } }),
      "s.additionalProperties: Forbidden: additionalProperties and properties are mutual exclusive",
    ],
    [
      "a keyed list without keys",
      root({ a: { type: "array", items: { type: "object" }, "x-kubernetes-list-type": "map" } }),
      "s.properties[a].x-kubernetes-list-map-keys: Required value: must not be empty if x-kubernetes-list-type is map",
    ],
    [
      "a default of another type",
      root({ a: { type: "integer", default: "x" } }),
      's.properties[a].default: Invalid value: "x": must validate: Invalid value: "string": in body must be of type integer: "string"',
    ],
  ])("with %s is refused", (_name, schema, expected) => {
    const problems = structuralProblems(schema, "s");
    expect(problems.map(({ field, message }) => `${field}: ${message}`)).toContain(expected);
  });

  test("with a bad pattern is refused", () => {
    const [found] = structuralProblems(root({ a: { type: "string", pattern: "(" } }), "s");
    expect(found?.message).toContain("must be a valid regular expression, but isn't");
  });
});
