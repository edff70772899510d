import { expect, test } from "@jest/globals";
import { negotiate } from "./negotiate.ts";

const TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io";

test.each([
  [undefined, { encoding: "json", as: "object" }],
  ["application/vnd.kubernetes.protobuf,application/json", { encoding: "json", as: "object" }],
  ["application/yaml", { encoding: "yaml", as: "object" }],
  [`${TABLE},application/json`, { encoding: "json", as: "table", version: "v1" }],
  ["application/json;as=Table;v=v2;g=meta.k8s.io,application/json", { as: "object" }],
  ["application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1", { as: "partial" }],
])("Accept: %s is answered in the first form that we have", (accept, format) => {
  expect(negotiate(accept)).toMatchObject(format);
});

test("what nothing fits is not acceptable", () => {
  expect(() => negotiate("application/vnd.kubernetes.protobuf")).toThrow("only the following");
});
