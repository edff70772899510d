import { describe, expect, test } from "@jest/globals";
import { compileJsonPath } from "./json-path.ts";

const OBJECT = {
  metadata: { name: "a", annotations: { "example.org/note": "n", plain: "p" } },
  spec: { replicas: 3, hosts: ["a", "b", "c"] },
  status: {
    conditions: [
      { type: "Ready", status: "True" },
      { type: "Synced", status: "False", reason: "it's (late)" },
    ],
  },
};

function find(path: string, value: unknown = OBJECT): unknown[] {
  const compiled = compileJsonPath(path);
  if (!compiled.ok) throw new Error(compiled.message);
  return compiled.evaluate(value);
}

describe("JSONPath of printer columns", () => {
  test.each<[string, unknown[]]>([
    [".spec.replicas", [3]],
    ["spec.replicas", [3]],
    ["{.spec.replicas}", [3]],
    ["$.spec.replicas", [3]],
    [".spec.hosts", [["a", "b", "c"]]],
    [".spec.hosts[0]", ["a"]],
    [".spec.hosts[-1]", ["c"]],
    [".spec.hosts[1:]", ["b", "c"]],
    [".spec.hosts[*]", ["a", "b", "c"]],
    [".spec.*", [3, ["a", "b", "c"]]],
    [".spec.missing.deeper", []],
    [".metadata.annotations['example.org/note']", ["n"]],
    [".metadata.annotations.example\\.org/note", ["n"]],
    ['.status.conditions[?(@.type=="Ready")].status', ["True"]],
    [".status.conditions[?(@.type=='Synced')].status", ["False"]],
    ['.status.conditions[?(@.type == "Ready")].status', ["True"]],
    ['.status.conditions[?(@.type!="Ready")].type', ["Synced"]],
    [".status.conditions[?(@.reason)].type", ["Synced"]],
    ['.status.conditions[?(@.reason=="it\'s (late)")].type', ["Synced"]],
    ["..type", ["Ready", "Synced"]],
    [".constructor", []],
    [".__proto__", []],
  ])("%s", (path, expected) => {
    expect(find(path)).toEqual(expected);
  });

  test.each([
    ".a[",
    ".a[?(@.b==)]",
    ".a[?(@.b=='x]",
    ".a..",
    "[x]",
    ".a b",
    `.${"a".repeat(3000)}`,
  ])("%s is no path", (path) => {
    expect(compileJsonPath(path)).toMatchObject({ ok: false });
  });
});
