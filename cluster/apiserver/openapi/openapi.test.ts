import { describe, expect, test } from "@jest/globals";
import type { CustomResourceDefinition } from "#cluster/api/generated/apiextensions-v1.ts";
import { customKinds } from "#cluster/apiserver/kinds/custom.ts";
import type { Kind } from "#cluster/apiserver/kinds/kind.ts";
import { BUILT_IN_KINDS } from "#cluster/apiserver/kinds/table.ts";
import { at, isObject } from "#cluster/apiserver/schema/json.ts";
import { openApiV2Document } from "./v2.ts";
import { openApiV3Document, openApiV3Index } from "./v3.ts";

const CRD: CustomResourceDefinition = {
  metadata: { name: "foos.example.org" },
  spec: {
    group: "example.org",
    scope: "Namespaced",
    names: { plural: "foos", kind: "Foo" },
    versions: [
      {
        name: "v1",
        served: true,
        storage: true,
        schema: {
          openAPIV3Schema: {
            type: "object",
            properties: {
              spec: { type: "object", properties: { regex: { type: "string", format: "re2" } } },
            },
          },
        },
      },
    ],
  },
};
const KINDS: readonly Kind[] = [...BUILT_IN_KINDS, ...customKinds(CRD)];

function v3(path: string): unknown {
  return JSON.parse(openApiV3Document(KINDS, path)?.text ?? "null");
}

/** Every `$ref` below a value. */
function references(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(references);
  if (!isObject(value)) return [];
  const own = typeof value["$ref"] === "string" ? [value["$ref"]] : [];
  return [...own, ...Object.values(value).flatMap(references)];
}

describe("OpenAPI v3", () => {
  test("the index has a document of every group and version, by its hash", () => {
    const { paths } = openApiV3Index(KINDS);
    expect(Object.keys(paths).toSorted()).toEqual([
      "api/v1",
      "apis/admissionregistration.k8s.io/v1",
      "apis/apiextensions.k8s.io/v1",
      "apis/apps/v1",
      "apis/coordination.k8s.io/v1",
      "apis/discovery.k8s.io/v1",
      "apis/example.org/v1",
      "apis/networking.k8s.io/v1",
    ]);
    expect(paths["api/v1"]?.serverRelativeURL).toMatch(
      /^\/openapi\/v3\/api\/v1\?hash=[0-9A-F]{64}$/,
    );
  });

  test.each(Object.keys(openApiV3Index(KINDS).paths))("%s refers to what it has", (path) => {
    const document = v3(path);
    const schemas = at(document, "components", "schemas") as Record<string, unknown>;
    const missing = references(document).filter(
      (reference) => !Object.hasOwn(schemas, reference.replace("#/components/schemas/", "")),
    );
    expect(missing).toEqual([]);
  });

  test("an operation says its kind, its action and the parameters that kubectl looks for", () => {
    const patch = at(v3("api/v1"), "paths", "/api/v1/namespaces/{namespace}/pods/{name}", "patch");
    expect(patch).toMatchObject({
      operationId: "patchCoreV1NamespacedPod",
      "x-kubernetes-action": "patch",
      "x-kubernetes-group-version-kind": { group: "", version: "v1", kind: "Pod" },
    });
    const names = (at(patch, "parameters") as { name: string }[]).map(({ name }) => name);
    expect(names).toEqual(["dryRun", "fieldManager", "fieldValidation", "force"]);
    expect(at(patch, "requestBody", "content")).toHaveProperty([
      "application/strategic-merge-patch+json",
    ]);
  });

  test("custom kinds can't be patched strategically, which kubectl reads here", () => {
    const path = "/apis/example.org/v1/namespaces/{namespace}/foos/{name}";
    const content = at(v3("apis/example.org/v1"), "paths", path, "patch", "requestBody", "content");
    expect(Object.keys(content as object)).toEqual([
      "application/json-patch+json",
      "application/merge-patch+json",
      "application/apply-patch+yaml",
    ]);
  });

  test("lists say how they merge, and fields what is required", () => {
    const schemas = at(v3("apis/apps/v1"), "components", "schemas");
    expect(at(schemas, "io.k8s.api.core.v1.PodSpec", "properties", "containers")).toMatchObject({
      "x-kubernetes-patch-merge-key": "name",
      "x-kubernetes-patch-strategy": "merge",
      "x-kubernetes-list-type": "map",
      "x-kubernetes-list-map-keys": ["name"],
    });
    expect(at(schemas, "io.k8s.api.core.v1.ContainerPort", "required")).toEqual(["containerPort"]);
    expect(at(schemas, "io.k8s.api.apps.v1.Deployment")).toMatchObject({
      "x-kubernetes-group-version-kind": [{ group: "apps", version: "v1", kind: "Deployment" }],
    });
  });

  test("custom kinds are published with their own schema, without our own formats", () => {
    const foo = at(v3("apis/example.org/v1"), "components", "schemas", "org.example.v1.Foo");
    expect(at(foo, "properties", "spec", "properties", "regex")).toEqual({ type: "string" });
    expect(at(foo, "properties", "metadata")).toEqual({
      $ref: "#/components/schemas/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta",
    });
  });

  test("a document is made once, and again only when its own kinds change", () => {
    const before = openApiV3Document(KINDS, "api/v1");
    expect(openApiV3Document([...KINDS], "api/v1")).toBe(before);
    expect(openApiV3Document(BUILT_IN_KINDS, "api/v1")).toBe(before);
    expect(openApiV3Document(KINDS.slice(1), "api/v1")?.hash).not.toBe(before?.hash);
    expect(openApiV3Document(KINDS, "apis/none/v1")).toBeUndefined();
  });
});

describe("OpenAPI v2", () => {
  test("has all kinds in one document, and refers to what it has", () => {
    const document: unknown = JSON.parse(openApiV2Document(KINDS).text);
    const definitions = at(document, "definitions") as Record<string, unknown>;
    const missing = references(document).filter(
      (reference) => !Object.hasOwn(definitions, reference.replace("#/definitions/", "")),
    );
    expect(missing).toEqual([]);
    expect(JSON.stringify(definitions)).not.toMatch(/"(?:allOf|oneOf|anyOf)":\[|"nullable":true/);
    expect(Object.keys(definitions)).toContain("org.example.v1.Foo");
  });

  test("is in protobuf what it is in JSON: kinds, merge keys, parameters of a patch", () => {
    const bytes = openApiV2Document(KINDS).protobuf();
    const text = Buffer.from(bytes).toString("latin1");
    // Field 1 of Document, then field 2 with the title inside.
    expect(text.slice(0, 5)).toBe("\n\x032.0");
    for (const part of [
      "#/definitions/io.k8s.api.core.v1.PodSpec",
      "x-kubernetes-patch-merge-key",
      "/apis/example.org/v1/namespaces/{namespace}/foos/{name}",
      '[{"group":"example.org","version":"v1","kind":"Foo"}]',
      "fieldValidation",
    ]) {
      expect(text).toContain(part);
    }
    expect(openApiV2Document(KINDS).protobuf()).toBe(bytes);
  });
});
