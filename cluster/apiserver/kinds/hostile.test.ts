import { readFileSync } from "node:fs";
import { describe, expect, test } from "@jest/globals";
import type { CustomResourceDefinition } from "#cluster/api/generated/apiextensions-v1.ts";
import type { KubeObject } from "#cluster/api/meta.ts";
import { cloneJson, isObject } from "#cluster/apiserver/schema/json.ts";
import { pruneUnknown } from "#cluster/apiserver/schema/prune.ts";
import { validate } from "#cluster/apiserver/schema/validate.ts";
import { customKinds } from "./custom.ts";
import { BUILT_IN_KINDS } from "./table.ts";
import { cellsOf, prepared } from "./testing.ts";
import type { Kind } from "./kind.ts";

/** A full object of every kind, without name and type. */
const SAMPLES = JSON.parse(
  readFileSync(new URL("testdata/samples.json", import.meta.url), "utf8"),
) as Record<string, object>;

const GARBAGE: unknown[] = [
  null,
  0,
  -1,
  1.5,
  "",
  "x",
  true,
  [],
  {},
  [null],
  [[]],
  [{}],
  { a: null },
];

/** Every place inside a value, as the list of keys that leads there. */
function places(value: unknown, path: readonly string[] = []): (readonly string[])[] {
  if (typeof value !== "object" || value === null) return [path];
  return [
    path,
    ...Object.entries(value).flatMap(([key, member]) => places(member, [...path, key])),
  ];
}

function withGarbage(value: unknown, [key, ...rest]: readonly string[], garbage: unknown): unknown {
  if (key === undefined) return garbage;
  if (Array.isArray(value)) {
    return value.map((item, index) =>
      String(index) === key ? withGarbage(item, rest, garbage) : item,
    );
  }
  return isObject(value) ? { ...value, [key]: withGarbage(value[key], rest, garbage) } : value;
}

/** As the registry takes it in; what passes is printed, selected and updated too. */
function takeIn(kind: Kind, given: unknown): number {
  pruneUnknown(kind.schema, given);
  const object = prepared(kind, given);
  const { strategy } = kind;
  const problems = validate(kind.schema, object);
  if (problems.length === 0) problems.push(...(strategy.validate?.(object) ?? []));
  if (problems.length > 0) return problems.length;
  strategy.validateUpdate?.(object, prepared(kind, object, object));
  strategy.selectableFields?.(object);
  strategy.gracePeriodSeconds?.(object);
  cellsOf(kind, object);
  if (kind.kind === "CustomResourceDefinition") {
    for (const made of customKinds(object as unknown as CustomResourceDefinition)) {
      takeIn(made, { metadata: { name: "a" }, spec: {} });
    }
  }
  return 0;
}

describe("an object with garbage anywhere is refused or served, and never crashes the server", () => {
  test.each(BUILT_IN_KINDS)("$kind", (kind) => {
    const metadata = { name: "a", namespace: "default", creationTimestamp: "2026-01-02T03:00:00Z" };
    const sample = { metadata, ...SAMPLES[kind.kind] };
    expect(takeIn(kind, cloneJson(sample))).toBe(0);
    const inside = places(sample).filter(([first]) => first !== undefined && first !== "metadata");
    for (const path of inside) {
      for (const garbage of GARBAGE) {
        const given = cloneJson(withGarbage(sample, path, garbage));
        try {
          takeIn(kind, given);
        } catch (error) {
          const where = `${path.join(".")} = ${JSON.stringify(garbage)}`;
          throw new Error(`${kind.kind} with ${where}`, { cause: error });
        }
      }
    }
  });
});

test("every kind's sample is the sample of a kind", () => {
  const kinds = BUILT_IN_KINDS.map(({ kind }) => kind).toSorted();
  expect(Object.keys(SAMPLES).toSorted()).toEqual(kinds);
  const named: KubeObject = { metadata: { name: "a" } };
  for (const kind of BUILT_IN_KINDS) expect(() => cellsOf(kind, named)).not.toThrow();
});
