import { describe, expect, test } from "@jest/globals";
import { findUnknown, pruneUnknown } from "./prune.ts";
import type { Schema } from "./schema.ts";

const SCHEMA: Schema = {
  type: "object",
  properties: {
    spec: {
      type: "object",
      properties: {
        http: {
          type: "array",
          items: { type: "object", properties: { route: { type: "string" } } },
        },
        labels: { type: "object", additionalProperties: { type: "string" } },
        free: { type: "object", "x-kubernetes-preserve-unknown-fields": true },
        empty: { type: "object" },
        template: {
          type: "object",
          "x-kubernetes-embedded-resource": true,
          properties: { spec: { type: "object", properties: {} } },
        },
      },
    },
  },
};

describe("unknown fields", () => {
  test("are dropped, and told by their paths", () => {
    const object = { spec: { http: [{ route: "a", rout: 1 }], labels: { any: "x" } }, spce: {} };
    expect(pruneUnknown(SCHEMA, object)).toEqual(["spec.http[0].rout", "spce"]);
    expect(object).toEqual({ spec: { http: [{ route: "a" }], labels: { any: "x" } } });
  });

  test("can be found without being dropped", () => {
    const object = { spec: { nope: 1 } };
    expect(findUnknown(SCHEMA, object)).toEqual(["spec.nope"]);
    expect(object).toEqual({ spec: { nope: 1 } });
  });

  test("stay where the schema preserves them, and go where an object has no properties", () => {
    const object = { spec: { free: { a: { b: 1 } }, empty: { a: 1 } } };
    expect(pruneUnknown(SCHEMA, object)).toEqual(["spec.empty.a"]);
    expect(object).toEqual({ spec: { free: { a: { b: 1 } }, empty: {} } });
  });

  test("of an embedded resource are not its type and metadata", () => {
    const template = { apiVersion: "v1", kind: "Pod", metadata: { name: "a", nope: 1 }, spec: {} };
    expect(pruneUnknown(SCHEMA, { spec: { template } })).toEqual(["spec.template.metadata.nope"]);
  });

  test("include __proto__, which pollutes nothing", () => {
    const object: unknown = JSON.parse('{"spec": {"__proto__": {"polluted": true}}}');
    expect(pruneUnknown(SCHEMA, object)).toEqual(["spec.__proto__"]);
    expect(JSON.stringify(object)).toBe('{"spec":{}}');
    expect(Object.hasOwn(Object.prototype, "polluted")).toBe(false);
  });

  test("of built-in kinds are found through inlined structs and special types", () => {
    const kind: Schema = { $ref: "io.k8s.api.core.v1.PodSpec" };
    const probe = { httpGet: { port: "http" }, periodSeconds: 1, period: 2 };
    const volume = { name: "a", configMap: { name: "b", nam: "c" } };
    const spec = { containers: [{ name: "a", livenessProbe: probe }], volumes: [volume] };
    expect(findUnknown(kind, spec)).toEqual([
      "containers[0].livenessProbe.period",
      "volumes[0].configMap.nam",
    ]);
  });

  test("of a schema in a CRD are found below its special types", () => {
    const props: Schema = {
      $ref: "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps",
    };
    const schema = {
      properties: { a: { items: { type: "string", foo: 1 }, default: { any: 1 } } },
      additionalProperties: true,
    };
    expect(findUnknown(props, schema)).toEqual(["properties.a.items.foo"]);
  });
});
