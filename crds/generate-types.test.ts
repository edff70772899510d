import { describe, expect, test } from "@jest/globals";
import { readFileSync } from "node:fs";
import path from "node:path";
import { generateTypes } from "./generate-types.ts";
import { loadCrds, type CrdManifest } from "./load.ts";

const committed = path.join(import.meta.dirname, "types", "networking-v1.ts");

function crdWith(
  spec: CrdManifest["spec"]["versions"][0]["schema"]["openAPIV3Schema"],
): CrdManifest {
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: "things.example.org" },
    spec: {
      group: "example.org",
      scope: "Namespaced",
      names: { kind: "Thing", plural: "things", singular: "thing" },
      versions: [
        {
          name: "v1",
          served: true,
          storage: true,
          schema: {
            openAPIV3Schema: {
              type: "object",
              properties: { spec, status: { title: "S", type: "object", properties: {} } },
            },
          },
        },
      ],
    },
  };
}

describe("generateTypes", () => {
  test("the committed file is what the manifests give", () => {
    expect(generateTypes(loadCrds())).toBe(readFileSync(committed, "utf8"));
  });

  test("an object without a title is an error that names its place", () => {
    const thing = crdWith({
      title: "ThingSpec",
      type: "object",
      properties: { part: { type: "object", properties: { name: { type: "string" } } } },
    });
    expect(() => generateTypes([thing])).toThrow("Thing.spec.part: an object with fields needs");
  });

  test("one title for different fields is an error", () => {
    const part = (field: string) => ({
      title: "Part",
      type: "object",
      properties: { [field]: { type: "string" } },
    });
    const thing = crdWith({
      title: "ThingSpec",
      type: "object",
      properties: { a: part("x"), b: part("y") },
    });
    expect(() => generateTypes([thing])).toThrow("Thing.spec.b: title Part is used for different");
  });
});
