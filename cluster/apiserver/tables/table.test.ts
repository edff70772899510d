import { expect, test } from "@jest/globals";
import type { KubeObject } from "#cluster/api/meta.ts";
import { kindNamed, NOW } from "#cluster/apiserver/kinds/testing.ts";
import { toTable } from "./table.ts";

const MAP: KubeObject = {
  metadata: { name: "a", creationTimestamp: "2026-01-02T03:00:00Z" },
  data: { k: "v" },
};

test("a table has its columns, and a row an object with its metadata", () => {
  const table = toTable(kindNamed("ConfigMap"), [MAP], {
    includeObject: "Metadata",
    now: NOW,
    listMeta: { resourceVersion: "7" },
  });
  expect(table).toMatchObject({
    kind: "Table",
    apiVersion: "meta.k8s.io/v1",
    metadata: { resourceVersion: "7" },
    columnDefinitions: [
      { name: "Name", type: "string", format: "name", priority: 0 },
      { name: "Data", type: "integer", priority: 0 },
      { name: "Age", type: "string", priority: 0 },
    ],
    rows: [
      {
        cells: ["a", 1, "4m5s"],
        object: { kind: "PartialObjectMetadata", metadata: MAP.metadata },
      },
    ],
  });
  expect(table.rows[0]?.object).not.toHaveProperty("data");
});

test("a row has the whole object, or none, as was asked", () => {
  const rows = (includeObject: "None" | "Object"): unknown =>
    toTable(kindNamed("ConfigMap"), [MAP], { includeObject, now: NOW }).rows[0];
  expect(rows("Object")).toMatchObject({ object: { data: { k: "v" } } });
  expect(rows("None")).toEqual({ cells: ["a", 1, "4m5s"] });
});
