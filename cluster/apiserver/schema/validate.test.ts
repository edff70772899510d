import { describe, expect, test } from "@jest/globals";
import type { Schema } from "./schema.ts";
import { validate } from "./validate.ts";

/** What a StatusCause says: the path, then the message. */
function problemsOf(schema: Schema, value: unknown): string[] {
  return validate(schema, value).map(({ field, message }) => `${field}: ${message}`);
}

const object = (properties: Record<string, Schema>, rest: Schema = {}): Schema => ({
  type: "object",
  properties,
  ...rest,
});

describe("validation says every problem in Kubernetes' words", () => {
  test.each<[string, Schema, unknown, string[]]>([
    ["a value of the right type", object({ a: { type: "string" } }), { a: "x" }, []],
    [
      "a wrong type",
      object({ spec: object({ replicas: { type: "integer" } }) }),
      { spec: { replicas: "3" } },
      [
        'spec.replicas: Invalid value: "string": spec.replicas in body must be of type integer: "string"',
      ],
    ],
    ["an integer where a number may be", object({ a: { type: "number" } }), { a: 1 }, []],
    [
      "a missing field",
      object({ spec: object({}, { required: ["hosts"] }) }),
      { spec: {} },
      ["spec.hosts: Required value"],
    ],
    [
      "a value out of an enumeration",
      object({ mode: { type: "string", enum: ["a", "b"] } }),
      { mode: "x" },
      ['mode: Unsupported value: "x": supported values: "a", "b"'],
    ],
    [
      "a number below the minimum, inside lists",
      object({
        http: {
          type: "array",
          items: object({ weight: { type: "integer", minimum: 0 } }),
        },
      }),
      { http: [{ weight: 1 }, { weight: -1 }] },
      [
        "http[1].weight: Invalid value: -1: http[1].weight in body should be greater than or equal to 0",
      ],
    ],
    [
      "an exclusive bound",
      object({ a: { type: "number", minimum: 0, exclusiveMinimum: true } }),
      { a: 0 },
      ["a: Invalid value: 0: a in body should be greater than 0"],
    ],
    [
      "a text that does not match",
      object({ a: { type: "string", pattern: "^[a-z]+$" } }),
      { a: "X" },
      ["a: Invalid value: \"X\": a in body should match '^[a-z]+$'"],
    ],
    [
      "texts too short and too long",
      object({ a: { type: "string", minLength: 2 }, b: { type: "string", maxLength: 2 } }),
      { a: "x", b: "xyz" },
      [
        'a: Invalid value: "x": a in body should be at least 2 chars long',
        "b: Too long: may not be more than 2 bytes",
      ],
    ],
    [
      "lists too short and too long",
      object({ a: { type: "array", minItems: 1 }, b: { type: "array", maxItems: 1 } }),
      { a: [], b: [1, 2] },
      [
        "a: Invalid value: []: a in body should have at least 1 items",
        "b: Too many: 2: must have at most 1 item",
      ],
    ],
    [
      "a key twice in a keyed list",
      object({
        list: {
          type: "array",
          items: object({ name: { type: "string" } }),
          "x-kubernetes-list-type": "map",
          "x-kubernetes-list-map-keys": ["name"],
        },
      }),
      { list: [{ name: "a" }, { name: "a" }] },
      ['list[1]: Duplicate value: {"name":"a"}'],
    ],
    [
      "neither a number nor a string",
      object({ port: { "x-kubernetes-int-or-string": true } }),
      { port: true },
      ['port: Invalid value: "boolean": port in body must be of type integer,string: "boolean"'],
    ],
    ["a null that may be", object({ a: { type: "string", nullable: true } }), { a: null }, []],
    [
      "a null that may not be",
      object({ a: { type: "string" } }),
      { a: null },
      ['a: Invalid value: "null": a in body must be of type string: "null"'],
    ],
    [
      "values of a map",
      object({ m: { type: "object", additionalProperties: { type: "string" } } }),
      { m: { k: 1 } },
      ['m.k: Invalid value: "integer": m.k in body must be of type string: "integer"'],
    ],
    [
      "no alternative of oneOf",
      object({
        match: {
          type: "object",
          properties: { exact: { type: "string" }, prefix: { type: "string" } },
          oneOf: [{ required: ["exact"] }, { required: ["prefix"] }],
        },
      }),
      { match: {} },
      [
        'match: Invalid value: "": "match" must validate one and only one schema (oneOf). Found none valid',
        "match.exact: Required value",
      ],
    ],
    [
      "two alternatives of oneOf",
      object({ match: { oneOf: [{ required: ["exact"] }, { required: ["prefix"] }] } }),
      { match: { exact: "a", prefix: "b" } },
      [
        'match: Invalid value: "": "match" must validate one and only one schema (oneOf). Found 2 valid alternatives',
      ],
    ],
    [
      "what must not be",
      object({ a: { type: "object", not: { required: ["b"] } } }),
      { a: { b: 1 } },
      ['a: Invalid value: "": "a" must not validate the schema (not)'],
    ],
  ])("%s", (_name, schema, value, expected) => {
    expect(problemsOf(schema, value)).toEqual(expected);
  });
});

describe("formats", () => {
  test.each<[string, string, boolean]>([
    ["date-time", "2026-01-02T03:04:05Z", true],
    ["date-time", "2026-01-02T03:04:05.123456+01:00", true],
    ["date-time", "2026-13-02T03:04:05Z", false],
    ["duration", "1.5s", true],
    ["duration", "1h30m", true],
    ["duration", "5", false],
    ["ipv4", "192.0.2.1", true],
    ["ipv4", "192.0.2.256", false],
    ["ipv6", "2001:db8::1", true],
    ["cidr", "192.0.2.0/24", true],
    ["cidr", "192.0.2.0/33", false],
    ["uri", "https://example.org/a", true],
    ["uri", "not a uri", false],
    ["byte", "aGVsbG8=", true],
    ["byte", "aGVsbG8", false],
    ["re2", "^/api/v[0-9]+/.*", true],
    ["re2", "(unclosed", false],
    ["re2", "a(?=b)", false],
    ["made-up", "anything", true],
  ])("%s %s", (format, text, valid) => {
    expect(validate({ type: "string", format }, text).length).toBe(valid ? 0 : 1);
  });

  test("a bad regular expression is named with its path and its fault", () => {
    const schema = object({ regex: { type: "string", format: "re2" } });
    expect(problemsOf(schema, { regex: "*" })[0]).toMatch(
      /^regex: Invalid value: "\*": regex in body must be an RE2 regular expression: /,
    );
  });

  test("a number out of int32 is refused", () => {
    const schema = object({ a: { type: "integer", format: "int32" } });
    expect(validate(schema, { a: 2 ** 31 })).toHaveLength(1);
  });
});

describe("bounds", () => {
  test("a pattern that would stall a backtracking engine is answered at once", () => {
    const schema: Schema = { type: "string", pattern: "^(a+)+$" };
    const started = performance.now();
    validate(schema, `${"a".repeat(5000)}!`);
    expect(performance.now() - started).toBeLessThan(1000);
  });

  test("a value nested without end is refused, not followed", () => {
    const schema: Schema = { type: "object", properties: {} };
    schema.properties = { a: schema };
    let value: unknown = {};
    for (let level = 0; level < 5000; level += 1) value = { a: value };
    expect(problemsOf(schema, value).at(-1)).toContain("must not be nested deeper than 100 levels");
  });

  test("members of the prototype are no fields", () => {
    const schema = object({}, { required: ["constructor", "toString"] });
    expect(problemsOf(schema, {})).toEqual([
      "constructor: Required value",
      "toString: Required value",
    ]);
  });

  test("no more than 200 problems are told", () => {
    const schema: Schema = { type: "array", items: { type: "string" } };
    expect(
      validate(
        schema,
        Array.from({ length: 1000 }, () => 1),
      ),
    ).toHaveLength(200);
  });
});

describe("built-in types", () => {
  const pod: Schema = { $ref: "io.k8s.api.core.v1.PodSpec" };

  test("an absent or empty field is Go's zero value, unless the server insists", () => {
    expect(problemsOf(pod, { containers: [{ name: "a", image: "b", command: null }] })).toEqual([]);
    expect(problemsOf(pod, { containers: [] })).toEqual(["containers: Required value"]);
    expect(problemsOf(pod, { containers: [{ name: "", image: "b" }] })).toEqual([
      "containers[0].name: Required value",
    ]);
  });

  test("ranges and enumerations read as Kubernetes' own validation", () => {
    const port = { containerPort: 70000 };
    const spec = { containers: [{ name: "a", ports: [port] }], restartPolicy: "Sometimes" };
    expect(problemsOf(pod, spec)).toEqual([
      "containers[0].ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive",
      'restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "Never", "OnFailure"',
    ]);
  });

  test("a quantity may be a number or a string, and must be one", () => {
    const container = (cpu: unknown): unknown => ({
      containers: [{ name: "a", resources: { limits: { cpu } } }],
    });
    expect(problemsOf(pod, container(0.5))).toEqual([]);
    expect(problemsOf(pod, container("250m"))).toEqual([]);
    expect(problemsOf(pod, container("many"))[0]).toContain("quantities must match");
  });
});
