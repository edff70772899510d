import { describe, expect, test } from "@jest/globals";
import type { KubeObject, ManagedFieldsEntry } from "#cluster/api/meta.ts";
import { hasReason, StatusError } from "#cluster/api/status-error.ts";
import type { Kind } from "#cluster/apiserver/kinds/kind.ts";
import { BUILT_IN_KINDS } from "#cluster/apiserver/kinds/table.ts";
import type { JsonObject } from "#cluster/apiserver/schema/json.ts";
import { difference, intersection, parseFieldSet, union, type FieldSet } from "./field-set.ts";
import { fieldsOf, inOrder, type Entries } from "./managed-fields.ts";
import { mergeTypeOf } from "./merge-type.ts";
import { mergeConfiguration } from "./merge.ts";
import { applyConfiguration, trackUpdate, type Applied } from "./track.ts";

const kindOf = (name: string): Kind => {
  const kind = BUILT_IN_KINDS.find((one) => one.kind === name);
  if (kind === undefined) throw new Error(`no ${name}`);
  return kind;
};
const CONFIG_MAP = kindOf("ConfigMap");
const SERVICE = kindOf("Service");
const NOW = "2026-01-01T00:00:00Z";

const by = (name: string, now = NOW, kind = CONFIG_MAP) => ({ kind, name, subresource: "", now });
const map = (data: Record<string, string>): JsonObject => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name: "m" },
  data,
});

/** Steps of appliers and updaters, from nothing. */
class World {
  object: KubeObject | undefined;
  entries: Entries = [];

  apply(name: string, data: Record<string, string>, force = false): Applied {
    const config = map(data);
    const applied = applyConfiguration(
      by(name),
      { live: this.object, config, force },
      this.entries,
    );
    this.object = applied.object;
    this.entries = applied.entries;
    return applied;
  }

  update(name: string, data: Record<string, string>, now = NOW): void {
    const object = map(data);
    const old = this.object as unknown as JsonObject | undefined;
    this.entries = trackUpdate(by(name, now), { old, object }, this.entries);
    this.object = object as unknown as KubeObject;
  }

  /** `manager/operation` → the keys of data that it has. */
  get owners(): Record<string, string[]> {
    return Object.fromEntries(
      this.entries.map((entry) => [
        `${entry.manager}/${entry.operation}`,
        Object.keys(fieldsOf(entry)["f:data"] ?? {}).map((element) => element.replace("f:", "")),
      ]),
    );
  }
}

describe("field sets", () => {
  const a: FieldSet = { "f:a": {}, "f:m": { ".": {}, "f:x": {}, "f:y": {} } };
  const b: FieldSet = { "f:b": {}, "f:m": { "f:x": {} } };

  test.each([
    ["union", union(a, b), { "f:a": {}, "f:b": {}, "f:m": { ".": {}, "f:x": {}, "f:y": {} } }],
    ["difference", difference(a, b), { "f:a": {}, "f:m": { ".": {}, "f:y": {} } }],
    ["intersection", intersection(a, b), { "f:m": { "f:x": {} } }],
    ["difference of all below", difference({ "f:m": { "f:x": {} } }, b), {}],
    [
      "a field without those below it",
      difference(a, { "f:m": {} }),
      { "f:a": {}, "f:m": { "f:x": {}, "f:y": {} } },
    ],
  ])("%s", (_, result, expected) => expect(result).toEqual(expected));

  test("are written in Kubernetes' order, numbers of keys as numbers", () => {
    const ten = 'k:{"port":10}';
    const nine = 'k:{"port":9}';
    const set = union(
      { "i:1": {}, 'v:"b"': {}, [ten]: {} },
      { [nine]: {}, "f:z": {}, 'v:"a"': {} },
    );
    expect(Object.keys(set)).toEqual(["f:z", nine, ten, 'v:"a"', 'v:"b"', "i:1"]);
  });

  test.each([["x"], [[]], [{ f: {} }], [{ "f:a": 1 }]])("%j is none", (value) =>
    expect(parseFieldSet(value)).toBeUndefined(),
  );

  test("leave out kinds of elements that nobody knows", () => {
    expect(parseFieldSet({ "x:a": {}, "f:b": { ".": {} } })).toEqual({ "f:b": {} });
  });
});

describe("merging lists", () => {
  const type = mergeTypeOf({
    type: "object",
    properties: {
      set: { type: "array", items: { type: "string" }, "x-kubernetes-list-type": "set" },
      whole: { type: "array", items: { type: "string" } },
    },
  });
  test.each([
    ["keeps others where they were", ["a", "b", "c"], ["b"], ["a", "b", "c"]],
    ["takes the order of the configuration", ["a", "b"], ["b", "a"], ["b", "a"]],
    ["puts new ones in their place", ["a", "c"], ["a", "b", "c"], ["a", "b", "c"]],
    [
      "keeps others before the next shared one",
      ["x", "a", "y", "b"],
      ["b", "a"],
      ["x", "y", "b", "a"],
    ],
    ["of nothing", [], ["a"], ["a"]],
  ])("%s", (_, live, config, expected) => {
    expect(mergeConfiguration(type, { set: live }, { set: config })).toEqual({ set: expected });
  });

  test("that are atomic replaces them", () => {
    const merged = mergeConfiguration(type, { whole: ["a"], other: 1 }, { whole: ["b"] });
    expect(merged).toEqual({ whole: ["b"], other: 1 });
  });
});

describe("applying", () => {
  test("owns what it names, and takes away what it no longer names", () => {
    const world = new World();
    world.apply("one", { a: "1", b: "1" });
    expect(world.owners).toEqual({ "one/Apply": ["a", "b"] });
    world.apply("one", { a: "2" });
    expect(world.object).toMatchObject({ data: { a: "2" } });
    expect(world.object?.data).not.toHaveProperty("b");
  });

  test("leaves what another names too, and what an update has added", () => {
    const world = new World();
    world.apply("one", { a: "1", b: "1" });
    world.apply("two", { b: "1" });
    world.update("three", { a: "1", b: "1", c: "1" });
    world.apply("one", { a: "1" });
    expect(world.object?.data).toEqual({ a: "1", b: "1", c: "1" });
    expect(world.owners).toEqual({ "one/Apply": ["a"], "two/Apply": ["b"], "three/Update": ["c"] });
  });

  test("of another value conflicts with its owner, until it is forced", () => {
    const world = new World();
    world.apply("one", { a: "1", b: "1" });
    world.update("two", { a: "1", b: "2", c: "1" });
    const tried = (): unknown => {
      try {
        return world.apply("three", { a: "2", b: "3", c: "1" });
      } catch (error) {
        return error;
      }
    };
    const refused = tried();
    expect(hasReason(refused, "Conflict")).toBe(true);
    expect((refused as StatusError).status).toMatchObject({
      code: 409,
      message:
        'Apply failed with 2 conflicts: conflicts with "one":\n- .data.a\nconflicts with "two" using v1:\n- .data.b',
      details: {
        causes: [
          { reason: "FieldManagerConflict", message: 'conflict with "one"', field: ".data.a" },
          {
            reason: "FieldManagerConflict",
            message: 'conflict with "two" using v1',
            field: ".data.b",
          },
        ],
      },
    });
    world.apply("three", { a: "2", b: "3", c: "1" }, true);
    expect(world.owners).toEqual({ "three/Apply": ["a", "b", "c"], "two/Update": ["c"] });
  });

  test("the same again changes neither object nor entries", () => {
    const world = new World();
    world.apply("one", { a: "1" });
    const before = world.entries;
    world.apply("one", { a: "1" });
    expect(world.entries).toEqual(before);
  });

  test("to an object of nobody's finds what was there before", () => {
    const world = new World();
    world.object = map({ a: "1", b: "1" }) as unknown as KubeObject;
    world.apply("one", { a: "1" });
    expect(world.owners).toEqual({
      "one/Apply": ["a"],
      "before-first-apply/Update": [".", "a", "b"],
    });
    expect(() => world.apply("one", { b: "2" })).toThrow(/conflict with "before-first-apply"/);
  });

  test("a port is known by its number and protocol, TCP being meant where none is named", () => {
    const service = (ports: object[]): JsonObject => ({
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: "s" },
      spec: { ports, selector: { app: "s" } },
    });
    const live = service([
      { port: 80, protocol: "TCP", name: "a" },
      { port: 80, protocol: "UDP" },
    ]);
    const config = service([{ port: 80, name: "b" }]);
    const applied = applyConfiguration(
      by("one", NOW, SERVICE),
      { live: live as unknown as KubeObject, config, force: true },
      [],
    );
    expect(applied.object.spec).toMatchObject({
      ports: [
        { port: 80, protocol: "TCP", name: "b" },
        { port: 80, protocol: "UDP" },
      ],
    });
    expect(applied.entries[0]?.fieldsV1).toEqual({
      "f:spec": {
        "f:ports": { 'k:{"port":80,"protocol":"TCP"}': { ".": {}, "f:name": {}, "f:port": {} } },
        "f:selector": {},
      },
    });
  });
});

describe("updating", () => {
  test("moves what it changes, and forgets what it removes", () => {
    const world = new World();
    world.update("one", { a: "1", b: "1", c: "1" });
    world.update("two", { a: "2", b: "1" });
    expect(world.owners).toEqual({ "one/Update": [".", "b"], "two/Update": ["a"] });
  });

  test("that changes nothing gives the same entries", () => {
    const world = new World();
    world.update("one", { a: "1" });
    const before = world.entries;
    world.update("two", { a: "1" });
    expect(world.entries).toBe(before);
  });

  test("by more than ten managers merges the oldest", () => {
    const world = new World();
    const data: Record<string, string> = {};
    for (let at = 0; at < 13; at++) {
      data[`k${at}`] = "1";
      world.update(`m${at}`, { ...data }, `2026-01-01T00:00:${String(at + 10)}Z`);
    }
    expect(world.entries.length).toBe(10);
    expect(world.owners["ancient-changes/Update"]).toEqual([".", "k0", "k1", "k2", "k3"]);
    expect(world.entries[0]?.time).toBe("2026-01-01T00:00:13Z");
  });

  test.each([[[]], [[{}]]])("with %j clears them, until the next apply", (given) => {
    const world = new World();
    world.update("one", { a: "1" });
    const object = map({ a: "2" });
    const old = map({ a: "1" });
    const cleared = trackUpdate(by("one"), { old, object, given }, world.entries);
    expect(cleared).toEqual([]);
    expect(trackUpdate(by("one"), { old, object }, cleared)).toEqual([]);
  });

  test("with entries of its own takes them, and with broken ones keeps the old", () => {
    const world = new World();
    world.update("one", { a: "1" });
    const mine: ManagedFieldsEntry = {
      manager: "me",
      operation: "Apply",
      apiVersion: "v1",
      fieldsType: "FieldsV1",
      fieldsV1: { "f:data": { "f:a": {} } },
    };
    const state = { old: map({ a: "1" }), object: map({ a: "1" }) };
    expect(trackUpdate(by("x"), { ...state, given: [mine] }, world.entries)).toEqual([mine]);
    const broken = [{ ...mine, operation: "Steal" }];
    expect(trackUpdate(by("x"), { ...state, given: broken }, world.entries)).toBe(world.entries);
  });

  test("appliers come first, then the oldest", () => {
    const entry = (manager: string, operation: string, time: string): ManagedFieldsEntry => ({
      manager,
      operation,
      time,
    });
    const sorted = inOrder([
      entry("b", "Update", "2"),
      entry("c", "Update", "1"),
      entry("a", "Apply", "3"),
    ]);
    expect(sorted.map(({ manager }) => manager)).toEqual(["a", "c", "b"]);
  });
});
