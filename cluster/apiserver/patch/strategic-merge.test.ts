import { describe, expect, test } from "@jest/globals";
import type { Schema } from "#cluster/apiserver/schema/schema.ts";
import { applyStrategicMergePatch } from "./strategic-merge.ts";

const POD: Schema = { $ref: "io.k8s.api.core.v1.Pod" };
const DEPLOYMENT: Schema = { $ref: "io.k8s.api.apps.v1.Deployment" };
const NODE: Schema = { $ref: "io.k8s.api.core.v1.Node" };

const spec = (value: unknown): unknown => ({ spec: value });

describe("strategic merge patch", () => {
  test.each<[string, Schema, unknown, unknown, unknown]>([
    [
      "merges containers by name",
      POD,
      spec({
        containers: [
          { name: "a", image: "1" },
          { name: "b", image: "1" },
        ],
      }),
      spec({
        containers: [
          { name: "b", image: "2" },
          { name: "c", image: "1" },
        ],
      }),
      spec({
        containers: [
          { name: "a", image: "1" },
          { name: "b", image: "2" },
          { name: "c", image: "1" },
        ],
      }),
    ],
    [
      "deletes an element by its key",
      POD,
      spec({ containers: [{ name: "a" }, { name: "b" }] }),
      spec({ containers: [{ name: "a", $patch: "delete" }] }),
      spec({ containers: [{ name: "b" }] }),
    ],
    [
      "replaces a list by $patch: replace",
      POD,
      spec({ containers: [{ name: "a" }, { name: "b" }] }),
      spec({ containers: [{ $patch: "replace" }, { name: "c" }] }),
      spec({ containers: [{ name: "c" }] }),
    ],
    [
      "replaces an object by $patch: replace",
      DEPLOYMENT,
      spec({ strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: 1 } } }),
      spec({ strategy: { $patch: "replace", type: "Recreate" } }),
      spec({ strategy: { type: "Recreate" } }),
    ],
    [
      "keeps only $retainKeys",
      DEPLOYMENT,
      spec({ strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: 1 } } }),
      spec({ strategy: { $retainKeys: ["type"], type: "Recreate" } }),
      spec({ strategy: { type: "Recreate" } }),
    ],
    [
      "replaces a list that has no merge key",
      POD,
      spec({ containers: [{ name: "a", args: ["1", "2"] }] }),
      spec({ containers: [{ name: "a", args: ["3"] }] }),
      spec({ containers: [{ name: "a", args: ["3"] }] }),
    ],
    [
      "merges lists of strings that say so",
      POD,
      { metadata: { finalizers: ["a", "b"] } },
      { metadata: { finalizers: ["b", "c"] } },
      { metadata: { finalizers: ["a", "b", "c"] } },
    ],
    [
      "deletes from lists of strings",
      POD,
      { metadata: { finalizers: ["a", "b"] } },
      { metadata: { "$deleteFromPrimitiveList/finalizers": ["a"] } },
      { metadata: { finalizers: ["b"] } },
    ],
    [
      "orders elements by $setElementOrder",
      POD,
      spec({ containers: [{ name: "a" }, { name: "b" }, { name: "c" }] }),
      spec({
        "$setElementOrder/containers": [{ name: "c" }, { name: "a" }, { name: "b" }],
        containers: [{ name: "b", image: "2" }],
      }),
      spec({ containers: [{ name: "c" }, { name: "a" }, { name: "b", image: "2" }] }),
    ],
    [
      "keeps the place of elements that only the server has",
      POD,
      spec({ containers: [{ name: "injected" }, { name: "a" }, { name: "b" }] }),
      spec({
        "$setElementOrder/containers": [{ name: "a" }, { name: "b" }],
        containers: [{ name: "a", image: "2" }],
      }),
      spec({ containers: [{ name: "injected" }, { name: "a", image: "2" }, { name: "b" }] }),
    ],
    [
      "deletes by null",
      POD,
      { metadata: { labels: { a: "1", b: "2" } } },
      { metadata: { labels: { a: null } } },
      { metadata: { labels: { b: "2" } } },
    ],
    [
      "adds without directives and nulls",
      POD,
      {},
      spec({
        "$setElementOrder/containers": [{ name: "a" }],
        containers: [{ name: "a", image: null, env: [{ name: "X", $patch: "delete" }] }],
      }),
      spec({ containers: [{ name: "a", env: [] }] }),
    ],
    [
      "merges ports by number and conditions by type",
      NODE,
      { status: { conditions: [{ type: "Ready", status: "False" }] } },
      {
        status: {
          conditions: [
            { type: "Ready", status: "True" },
            { type: "Disk", status: "x" },
          ],
        },
      },
      {
        status: {
          conditions: [
            { type: "Ready", status: "True" },
            { type: "Disk", status: "x" },
          ],
        },
      },
    ],
  ])("%s", (_name, schema, document, patch, expected) => {
    const before = JSON.stringify([document, patch]);
    expect(applyStrategicMergePatch(schema, document, patch)).toEqual({
      ok: true,
      result: expected,
    });
    expect(JSON.stringify([document, patch])).toBe(before);
  });

  test.each<[string, unknown, string]>([
    ["an element without its key", spec({ containers: [{ image: "1" }] }), "merge key: name"],
    ["an unknown directive", spec({ $patch: "explode" }), 'unknown patch type "explode"'],
    [
      "a field that $retainKeys leaves out",
      spec({ $retainKeys: ["a"], b: 1 }),
      "not in its $retainKeys",
    ],
    ["what is no object", [], "must be objects"],
  ])("refuses %s", (_name, patch, message) => {
    const document = spec({ containers: [{ name: "a" }] });
    expect(applyStrategicMergePatch(POD, document, patch)).toEqual({
      ok: false,
      message: expect.stringContaining(message),
    });
  });

  test("does not touch prototypes", () => {
    const patch: unknown = JSON.parse('{"metadata": {"labels": {"__proto__": {"x": 1}}}}');
    expect(applyStrategicMergePatch(POD, { metadata: { labels: {} } }, patch).ok).toBe(true);
    expect(Object.hasOwn(Object.prototype, "x")).toBe(false);
  });
});
