import { describe, expect, test } from "@jest/globals";
import { applyDefaults } from "./defaults.ts";
import type { Schema } from "./schema.ts";

function defaulted(schema: Schema, object: unknown): unknown {
  applyDefaults(schema, object);
  return object;
}

describe("defaults of a schema", () => {
  const schema: Schema = {
    type: "object",
    properties: {
      spec: {
        type: "object",
        default: {},
        properties: {
          port: { type: "integer", default: 80 },
          mode: { type: "string", nullable: true, default: "a" },
          plain: { type: "string" },
          list: {
            type: "array",
            items: { type: "object", properties: { weight: { type: "integer", default: 1 } } },
          },
          map: {
            type: "object",
            additionalProperties: {
              type: "object",
              properties: { on: { type: "boolean", default: true } },
            },
          },
        },
      },
    },
  };

  test("fill in what is missing, and inside of what they filled in", () => {
    expect(defaulted(schema, {})).toEqual({ spec: { port: 80, mode: "a" } });
  });

  test("reach the items of lists and the values of maps", () => {
    expect(defaulted(schema, { spec: { list: [{}, { weight: 5 }], map: { a: {} } } })).toEqual({
      spec: { port: 80, mode: "a", list: [{ weight: 1 }, { weight: 5 }], map: { a: { on: true } } },
    });
  });

  test("replace a null only where null is no value", () => {
    expect(defaulted(schema, { spec: { port: null, mode: null, plain: null } })).toEqual({
      spec: { port: 80, mode: null, plain: null },
    });
  });

  test("are copies: changing one object changes no other", () => {
    const first = defaulted(schema, {}) as { spec: { port: number } };
    first.spec.port = 1;
    expect(defaulted(schema, {})).toEqual({ spec: { port: 80, mode: "a" } });
  });
});

describe("built-in types", () => {
  test("lose their nulls and get canonical quantities", () => {
    const spec = {
      containers: [
        { name: "a", command: null, resources: { limits: { cpu: 0.5, memory: "1024Mi" } } },
      ],
    };
    expect(defaulted({ $ref: "io.k8s.api.core.v1.PodSpec" }, spec)).toMatchObject({
      restartPolicy: "Always",
      dnsPolicy: "ClusterFirst",
      terminationGracePeriodSeconds: 30,
      containers: [
        {
          name: "a",
          terminationMessagePolicy: "File",
          resources: { limits: { cpu: "500m", memory: "1Gi" } },
        },
      ],
    });
    expect(spec.containers[0]).not.toHaveProperty("command");
  });
});
