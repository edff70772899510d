/** Types whose JSON form is not that of their Go struct, as definitions of their own. */

import type { Schema } from "./schema.ts";
import { META } from "./messages.ts";

const EXTENSIONS = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1";
const ANYTHING: Schema = { "x-kubernetes-preserve-unknown-fields": true };
const SCHEMA_PROPS: Schema = { $ref: `${EXTENSIONS}.JSONSchemaProps` };

/** Special and scalar types of the generated table → the schema that a field of it has. */
export const FIELD_TYPES: Readonly<Record<string, Schema>> = {
  string: { type: "string" },
  bool: { type: "boolean" },
  int32: { type: "integer", format: "int32" },
  int64: { type: "integer", format: "int64" },
  double: { type: "number", format: "double" },
  bytes: { type: "string", format: "byte" },
  stringList: { type: "array", items: { type: "string" } },
  time: { $ref: `${META}.Time` },
  microTime: { $ref: `${META}.MicroTime` },
  duration: { $ref: `${META}.Duration` },
  fieldsV1: { $ref: `${META}.FieldsV1` },
  quantity: { $ref: "io.k8s.apimachinery.pkg.api.resource.Quantity" },
  intOrString: { $ref: "io.k8s.apimachinery.pkg.util.intstr.IntOrString" },
  rawExtension: { $ref: "io.k8s.apimachinery.pkg.runtime.RawExtension" },
  json: { $ref: `${EXTENSIONS}.JSON` },
  schemaOrArray: { $ref: `${EXTENSIONS}.JSONSchemaPropsOrArray` },
  schemaOrBool: { $ref: `${EXTENSIONS}.JSONSchemaPropsOrBool` },
  schemaOrStringArray: { $ref: `${EXTENSIONS}.JSONSchemaPropsOrStringArray` },
};

/** The definitions that the field types above refer to. */
export const SPECIAL_DEFINITIONS: ReadonlyMap<string, Schema> = new Map<string, Schema>([
  [`${META}.Time`, { type: "string", format: "date-time" }],
  [`${META}.MicroTime`, { type: "string", format: "date-time" }],
  [`${META}.Duration`, { type: "string", format: "duration" }],
  [`${META}.FieldsV1`, { type: "object", ...ANYTHING }],
  [
    "io.k8s.apimachinery.pkg.api.resource.Quantity",
    { format: "quantity", "x-kubernetes-int-or-string": true },
  ],
  ["io.k8s.apimachinery.pkg.util.intstr.IntOrString", { "x-kubernetes-int-or-string": true }],
  ["io.k8s.apimachinery.pkg.runtime.RawExtension", { type: "object", ...ANYTHING }],
  [`${EXTENSIONS}.JSON`, ANYTHING],
  [
    `${EXTENSIONS}.JSONSchemaPropsOrArray`,
    { anyOf: [SCHEMA_PROPS, { type: "array", items: SCHEMA_PROPS }] },
  ],
  [`${EXTENSIONS}.JSONSchemaPropsOrBool`, { anyOf: [SCHEMA_PROPS, { type: "boolean" }] }],
  [
    `${EXTENSIONS}.JSONSchemaPropsOrStringArray`,
    { anyOf: [SCHEMA_PROPS, { type: "array", items: { type: "string" } }] },
  ],
]);
