import { describe, expect, test } from "@jest/globals";
import type { CustomResourceDefinition } from "#cluster/api/generated/apiextensions-v1.ts";
import { findUnknown } from "#cluster/apiserver/schema/prune.ts";
import { validate } from "#cluster/apiserver/schema/validate.ts";
import { customKinds } from "./custom.ts";
import { cellsOf, kindNamed, prepared, problemsOnCreate, problemsOnUpdate } from "./testing.ts";

const CRD = kindNamed("CustomResourceDefinition");

const SCHEMA = {
  type: "object",
  properties: {
    spec: {
      type: "object",
      required: ["hosts"],
      properties: {
        hosts: { type: "array", items: { type: "string" } },
        weight: { type: "integer", minimum: 0, default: 1 },
      },
    },
    status: {
      type: "object",
      properties: {
        conditions: {
          type: "array",
          items: { type: "object", "x-kubernetes-preserve-unknown-fields": true },
        },
      },
    },
  },
};

const version = (name: string, rest: object = {}): object => ({
  name,
  served: true,
  storage: false,
  schema: { openAPIV3Schema: SCHEMA },
  subresources: { status: {} },
  ...rest,
});

const crd = (spec: object = {}, name = "foos.example.org"): object => ({
  metadata: { name, creationTimestamp: "2026-01-02T03:00:00Z" },
  spec: {
    group: "example.org",
    scope: "Namespaced",
    names: { plural: "foos", kind: "Foo", shortNames: ["fo"], categories: ["all"] },
    versions: [version("v1", { storage: true }), version("v1beta1")],
    ...spec,
  },
});

const definition = (spec: object = {}): CustomResourceDefinition =>
  prepared(CRD, crd(spec)) as unknown as CustomResourceDefinition;

describe("CustomResourceDefinitions", () => {
  test("get names and remember what was stored", () => {
    expect(definition()).toMatchObject({
      spec: {
        names: { singular: "foo", listKind: "FooList" },
        conversion: { strategy: "None" },
      },
      status: { storedVersions: ["v1"] },
    });
    expect(problemsOnCreate(CRD, crd())).toEqual([]);
  });

  test.each<[string, object, string]>([
    [
      "another name",
      crd({}, "foo.example.org"),
      'metadata.name: Invalid value: "foo.example.org": must be spec.names.plural+"."+spec.group',
    ],
    [
      "two storage versions",
      crd({ versions: [version("v1", { storage: true }), version("v2", { storage: true })] }),
      'spec.versions: Invalid value: ["v1","v2"]: must have exactly one version marked as storage version',
    ],
    [
      "no schema",
      crd({ versions: [version("v1", { storage: true, schema: undefined })] }),
      "spec.versions[0].schema.openAPIV3Schema: Required value: schemas are required",
    ],
    [
      "a schema that is not structural",
      crd({
        versions: [
          version("v1", {
            storage: true,
            schema: { openAPIV3Schema: { type: "object", properties: { a: {} } } },
          }),
        ],
      }),
      "spec.versions[0].schema.openAPIV3Schema.properties[a].type: Required value: must not be empty for specified object fields",
    ],
    [
      "a column without a path",
      crd({
        versions: [
          version("v1", {
            storage: true,
            additionalPrinterColumns: [{ name: "A", type: "string", jsonPath: ".a[" }],
          }),
        ],
      }),
      'spec.versions[0].additionalPrinterColumns[0].jsonPath: Invalid value: ".a[": invalid JSONPath ".a["',
    ],
  ])("with %s are refused", (_name, given, expected) => {
    expect(problemsOnCreate(CRD, given)).toContain(expected);
  });

  test("of a protected group need an approval", () => {
    const given = crd({ group: "gateway.k8s.io" }, "foos.gateway.k8s.io");
    expect(problemsOnCreate(CRD, given).join()).toContain("protected groups must have approval");
  });

  test("keep their group and kind", () => {
    expect(problemsOnUpdate(CRD, crd(), crd({ scope: "Cluster" }))).toEqual([
      'spec.scope: Invalid value: "Cluster": field is immutable',
    ]);
  });
});

describe("kinds of a definition", () => {
  test("are one a served version", () => {
    const kinds = customKinds(definition());
    expect(kinds).toMatchObject([
      {
        group: "example.org",
        version: "v1",
        kind: "Foo",
        listKind: "FooList",
        plural: "foos",
        singular: "foo",
        shortNames: ["fo"],
        categories: ["all"],
        namespaced: true,
        statusSubresource: true,
        storageVersion: "v1",
        custom: true,
      },
      { version: "v1beta1", storageVersion: "v1" },
    ]);
    const hidden = definition({ versions: [version("v1", { storage: true, served: false })] });
    expect(customKinds(hidden)).toEqual([]);
  });

  test("check, default and prune their objects", () => {
    const [kind] = customKinds(definition());
    if (kind === undefined) throw new Error("no kind");
    const object = prepared(kind, {
      apiVersion: "example.org/v1",
      kind: "Foo",
      metadata: { name: "a", labls: {} },
      spec: { hosts: ["a"], nope: 1 },
      status: { conditions: [] },
    });
    expect(object.spec).toMatchObject({ weight: 1 });
    expect(object).not.toHaveProperty("status");
    expect(findUnknown(kind.schema, object)).toEqual(["metadata.labls", "spec.nope"]);
    expect(validate(kind.schema, { ...object, spec: { weight: -1 } })).toMatchObject([
      { field: "spec.hosts", message: "Required value" },
      { field: "spec.weight", reason: "FieldValueInvalid" },
    ]);
  });

  test("print their columns, or Name and Age", () => {
    const additionalPrinterColumns = [
      { name: "Hosts", type: "string", jsonPath: ".spec.hosts" },
      { name: "Weight", type: "integer", jsonPath: ".spec.weight", priority: 1 },
      { name: "Ready", type: "string", jsonPath: '.status.conditions[?(@.type=="Ready")].status' },
      { name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp" },
    ];
    const object = {
      metadata: { name: "a", creationTimestamp: "2026-01-02T03:00:00Z" },
      spec: { hosts: ["a", "b"], weight: 3 },
      status: { conditions: [{ type: "Ready", status: "True" }] },
    };
    const [kind] = customKinds(
      definition({ versions: [version("v1", { storage: true, additionalPrinterColumns })] }),
    );
    const [plain] = customKinds(definition());
    if (kind === undefined || plain === undefined) throw new Error("no kind");
    expect(cellsOf(kind, object)).toEqual({
      Name: "a",
      Hosts: '["a","b"]',
      Weight: 3,
      Ready: "True",
      Age: "4m5s",
    });
    expect(cellsOf(plain, object)).toEqual({ Name: "a", Age: "4m5s" });
  });
});
