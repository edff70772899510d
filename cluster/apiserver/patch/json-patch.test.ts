import { describe, expect, test } from "@jest/globals";
import { applyJsonPatch } from "./json-patch.ts";

type Operation = Record<string, unknown>;

describe("JSON patch", () => {
  test.each<[string, unknown, Operation[], unknown]>([
    ["adds a member", { a: 1 }, [{ op: "add", path: "/b", value: 2 }], { a: 1, b: 2 }],
    ["replaces what is there on add", { a: 1 }, [{ op: "add", path: "/a", value: 2 }], { a: 2 }],
    ["inserts into a list", [1, 3], [{ op: "add", path: "/1", value: 2 }], [1, 2, 3]],
    ["appends to a list", { l: [1] }, [{ op: "add", path: "/l/-", value: 2 }], { l: [1, 2] }],
    ["removes", { a: 1, l: [1, 2] }, [{ op: "remove", path: "/l/0" }], { a: 1, l: [2] }],
    [
      "replaces",
      { a: { b: 1 } },
      [{ op: "replace", path: "/a/b", value: null }],
      { a: { b: null } },
    ],
    ["replaces in a list", [1, 2], [{ op: "replace", path: "/0", value: 9 }], [9, 2]],
    ["replaces the whole", { a: 1 }, [{ op: "replace", path: "", value: { b: 1 } }], { b: 1 }],
    ["moves", { a: { x: 1 } }, [{ op: "move", from: "/a/x", path: "/y" }], { a: {}, y: 1 }],
    [
      "copies",
      { a: { x: 1 } },
      [{ op: "copy", from: "/a", path: "/b" }],
      { a: { x: 1 }, b: { x: 1 } },
    ],
    [
      "tests",
      { a: [1, { b: 2 }] },
      [{ op: "test", path: "/a", value: [1, { b: 2 }] }],
      { a: [1, { b: 2 }] },
    ],
    [
      "knows ~0 and ~1",
      { "a/b": 1, "m~n": 2 },
      [
        { op: "remove", path: "/a~1b" },
        { op: "remove", path: "/m~0n" },
      ],
      {},
    ],
    ["tests null for a missing member", {}, [{ op: "test", path: "/a", value: null }], {}],
  ])("%s", (_name, document, operations, expected) => {
    expect(applyJsonPatch(document, operations)).toEqual({ ok: true, result: expected });
  });

  test.each<[string, unknown, unknown, string]>([
    ["no list", {}, {}, "must be an array"],
    ["an unknown operation", {}, [{ op: "merge", path: "/a" }], 'op "merge" is unknown'],
    ["a path that is none", {}, [{ op: "remove", path: "a" }], "not a JSON pointer"],
    ["nothing to remove", {}, [{ op: "remove", path: "/a" }], '"/a" does not exist'],
    ["nothing to replace", {}, [{ op: "replace", path: "/a", value: 1 }], '"/a" does not exist'],
    ["no parent", {}, [{ op: "add", path: "/a/b", value: 1 }], '"/a" does not exist'],
    [
      "an index beyond the end",
      [1],
      [{ op: "add", path: "/5", value: 1 }],
      "no such place in the list",
    ],
    ["a leading zero", [1, 2], [{ op: "remove", path: "/01" }], "does not exist"],
    [
      "a failed test",
      { a: 1 },
      [{ op: "test", path: "/a", value: 2 }],
      'testing value "/a" failed',
    ],
    ["a move into itself", { a: {} }, [{ op: "move", from: "/a", path: "/a/b" }], "into itself"],
    ["an add without a value", {}, [{ op: "add", path: "/a" }], "needs a value"],
    ["a member of the prototype", {}, [{ op: "remove", path: "/constructor" }], "does not exist"],
  ])("refuses %s", (_name, document, operations, message) => {
    expect(applyJsonPatch(document, operations)).toEqual({
      ok: false,
      message: expect.stringContaining(message),
    });
  });

  test("applies all operations or none, and leaves the document alone", () => {
    const document = { a: { b: 1 } };
    const operations = [
      { op: "replace", path: "/a/b", value: 2 },
      { op: "remove", path: "/nope" },
    ];
    expect(applyJsonPatch(document, operations)).toMatchObject({ ok: false });
    expect(document).toEqual({ a: { b: 1 } });
  });

  test("cannot reach a prototype", () => {
    const added = applyJsonPatch({}, [{ op: "add", path: "/__proto__", value: { polluted: 1 } }]);
    expect(JSON.stringify(added)).toBe('{"ok":true,"result":{"__proto__":{"polluted":1}}}');
    expect(
      applyJsonPatch({}, [{ op: "add", path: "/__proto__/polluted", value: 1 }]),
    ).toMatchObject({ ok: false });
    expect(Object.hasOwn(Object.prototype, "polluted")).toBe(false);
  });

  test("bounds what copies add", () => {
    const operations = Array.from({ length: 60 }, (_, index) => ({
      op: "copy",
      from: "",
      path: index % 2 === 0 ? "/a" : "/b",
    }));
    expect(applyJsonPatch({ a: 1, b: 2 }, operations)).toMatchObject({ ok: false });
  });
});
