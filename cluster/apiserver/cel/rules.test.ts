import { describe, expect, test } from "@jest/globals";
import type { Schema, ValidationRule } from "#cluster/apiserver/schema/schema.ts";
import { ruleProblems } from "./rules.ts";

const INTEGERS: Schema = { type: "array", items: { type: "integer" } };

/** The problems of a `spec` with these properties and rules. */
function check(
  rules: ValidationRule[],
  properties: Record<string, Schema>,
  spec: unknown,
  old?: unknown,
): string[] {
  const schema: Schema = {
    type: "object",
    properties: { spec: { type: "object", properties, "x-kubernetes-validations": rules } },
  };
  const before = old === undefined ? undefined : { spec: old };
  return ruleProblems(schema, { spec }, before).map(({ field, message }) => `${field}: ${message}`);
}

describe("a rule", () => {
  test("that isn't kept is a problem of its place, in its own words", () => {
    const rule = { rule: "self.min <= self.max", message: "min is above max" };
    const integer: Schema = { type: "integer" };
    const properties = { min: integer, max: integer };
    expect(check([rule], properties, { min: 1, max: 2 })).toEqual([]);
    expect(check([rule], properties, { min: 3, max: 2 })).toEqual([
      'spec: Invalid value: "object": min is above max',
    ]);
    expect(check([{ ...rule, fieldPath: ".min" }], properties, { min: 3, max: 2 })).toEqual([
      'spec.min: Invalid value: "object": min is above max',
    ]);
  });

  test("may have a reason, and a message that is made of the value", () => {
    const rule: ValidationRule = {
      rule: "!has(self.a)",
      messageExpression: '"a is " + string(self.a)',
      reason: "FieldValueForbidden",
    };
    expect(check([rule], { a: { type: "integer" } }, { a: 3 })).toEqual([
      "spec: Forbidden: a is 3",
    ]);
    const broken = { rule: "false", messageExpression: "string(self.none)" };
    expect(check([broken], {}, {})).toEqual(['spec: Invalid value: "object": failed rule: false']);
  });

  test("that can't be evaluated refuses, and says why", () => {
    expect(check([{ rule: "self.none == 1" }], {}, {})).toEqual([
      'spec: Invalid value: "object": No such key: none evaluating rule: self.none == 1',
    ]);
  });

  test("on a transition runs only where there was something before", () => {
    const rule = { rule: "self.a == oldSelf.a", message: "a can't change" };
    const properties: Record<string, Schema> = { a: { type: "integer" } };
    expect(check([rule], properties, { a: 1 })).toEqual([]);
    expect(check([rule], properties, { a: 1 }, { a: 1 })).toEqual([]);
    expect(check([rule], properties, { a: 2 }, { a: 1 })).toHaveLength(1);
  });

  test("isn't held against what was there before and hasn't changed", () => {
    const rule = { rule: "self.a > 1" };
    const properties: Record<string, Schema> = { a: { type: "integer" } };
    expect(check([rule], properties, { a: 1 }, { a: 1 })).toEqual([]);
    expect(check([rule], properties, { a: 0 }, { a: 1 })).toHaveLength(1);
  });

  test("sees integers, numbers, times, durations, odd names and nothing of a prototype", () => {
    const rules = [
      "self.whole + 1 == 2",
      "self.half * 2.0 == 1.0",
      "self.number == 1.0",
      'self.when < timestamp("2026-01-01T00:00:00Z")',
      'self.wait > duration("1m")',
      "self.a__dash__b == 1",
      "!has(self.constructor)",
      'self.map.all(k, k.matches("^[a-z-]+$"))',
    ].map((rule) => ({ rule }));
    const properties: Record<string, Schema> = {
      whole: { type: "integer" },
      half: { type: "number" },
      number: { type: "number" },
      when: { type: "string", format: "date-time" },
      wait: { type: "string", format: "duration" },
      "a-b": { type: "integer" },
      map: { type: "object", additionalProperties: { type: "integer" } },
    };
    const spec = {
      whole: 1,
      half: 0.5,
      number: 1,
      when: "2025-01-01T00:00:00Z",
      wait: "1h",
      "a-b": 1,
      map: { "x-y": 1 },
    };
    expect(check(rules, properties, spec)).toEqual([]);
  });
});

describe("no rule takes long", () => {
  test.each([
    ["self.a.all(x, self.a.all(y, self.a.all(z, x + y + z > 0)))", { a: Array(500).fill(1) }],
    ["[1, 2, 3].all(x, self.a.all(y, self.a.exists(z, z == y)))", { a: Array(1000).fill(1) }],
    ["self.a.map(x, self.s).join() != ''", { a: Array(1000).fill(1), s: "x".repeat(1_000_000) }],
  ])("%s is refused unevaluated", (rule, spec) => {
    expect(check([{ rule }], { a: INTEGERS }, spec)[0]).toContain("cost limit exceeded");
  });

  test("and all rules of an object together neither", () => {
    const items: Schema = {
      type: "object",
      properties: { a: INTEGERS },
      "x-kubernetes-validations": [{ rule: "self.a.all(x, self.a.all(y, x == y))" }],
    };
    const spec = { list: Array.from({ length: 100 }, () => ({ a: Array(300).fill(1) })) };
    const problems = check([], { list: { type: "array", items } }, spec);
    expect(problems.at(-1)).toContain("running out of cost budget");
  });

  test("whatever the text is that a pattern or a duration is looked for in", () => {
    const text: Schema = { type: "string" };
    const spec = { a: `${"1".repeat(100_000)}x` };
    const rules = [
      { rule: 'self.a.matches("^(1+)+$")' },
      { rule: 'duration(self.a) > duration("1s")' },
    ];
    const problems = check(rules, { a: text }, spec);
    expect(problems[0]).toContain("failed rule");
    expect(problems[1]).toContain("invalid duration");
  });
});
