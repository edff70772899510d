/**
 * OpenAPI v2 in protobuf (gnostic's `openapi.v2.Document`): the only form of it that client-go asks
 * for. kubectl validates `kind: List` by it, and explains by it on request.
 */

import protobuf from "protobufjs";
import { isObject, type JsonObject } from "#cluster/apiserver/schema/json.ts";

/** As it is asked for. */
export const OPENAPI_V2_PROTOBUF = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf";
/** As it is answered: no media type may have an `@`, and Go's clients parse what they get. */
export const OPENAPI_V2_PROTOBUF_ANSWER =
  "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";

type Fields = Record<string, protobuf.IField>;

const text = (id: number): protobuf.IField => ({ type: "string", id });
const flag = (id: number): protobuf.IField => ({ type: "bool", id });
const double = (id: number): protobuf.IField => ({ type: "double", id });
const count = (id: number): protobuf.IField => ({ type: "int64", id });
const one = (type: string, id: number): protobuf.IField => ({ type, id });
const many = (type: string, id: number): protobuf.IField => ({ rule: "repeated", type, id });
const named = (type: string): Fields => ({ name: text(1), value: one(type, 2) });

/** Members of a Schema that are in both forms, by their names in JSON. */
const SCHEMA_SCALARS: Fields = {
  format: text(2),
  title: text(3),
  description: text(4),
  multipleOf: double(6),
  maximum: double(7),
  exclusiveMaximum: flag(8),
  minimum: double(9),
  exclusiveMinimum: flag(10),
  maxLength: count(11),
  minLength: count(12),
  pattern: text(13),
  maxItems: count(14),
  minItems: count(15),
  uniqueItems: flag(16),
  maxProperties: count(17),
  minProperties: count(18),
  required: many("string", 19),
};

/** The messages that our documents use, with gnostic's field numbers (OpenAPIv2.proto). */
const MESSAGES: Record<string, Fields> = {
  Document: {
    swagger: text(1),
    info: one("Info", 2),
    paths: one("Paths", 8),
    definitions: one("NamedSchemas", 9),
  },
  Info: { title: text(1), version: text(2) },
  Paths: { path: many("NamedPathItem", 2) },
  NamedPathItem: named("PathItem"),
  PathItem: {
    get: one("Operation", 2),
    put: one("Operation", 3),
    post: one("Operation", 4),
    delete: one("Operation", 5),
    patch: one("Operation", 8),
    parameters: many("ParametersItem", 9),
  },
  Operation: {
    description: text(3),
    operationId: text(5),
    consumes: many("string", 7),
    parameters: many("ParametersItem", 8),
    responses: one("Responses", 9),
    vendorExtension: many("NamedAny", 13),
  },
  ParametersItem: { parameter: one("Parameter", 1) },
  Parameter: { body: one("BodyParameter", 1), nonBody: one("NonBodyParameter", 2) },
  BodyParameter: { name: text(2), in: text(3), required: flag(4), schema: one("Schema", 5) },
  NonBodyParameter: { query: one("QueryParameter", 3), path: one("PathParameter", 4) },
  QueryParameter: {
    in: text(2),
    description: text(3),
    name: text(4),
    type: text(6),
    uniqueItems: flag(20),
  },
  PathParameter: { required: flag(1), in: text(2), name: text(4), type: text(5) },
  Responses: { responseCode: many("NamedResponseValue", 1) },
  NamedResponseValue: named("ResponseValue"),
  ResponseValue: { response: one("Response", 1) },
  Response: { description: text(1), schema: one("SchemaItem", 2) },
  SchemaItem: { schema: one("Schema", 1) },
  NamedSchemas: { additionalProperties: many("NamedSchema", 1) },
  NamedSchema: named("Schema"),
  Schema: {
    ...SCHEMA_SCALARS,
    reference: text(1),
    default: one("Any", 5),
    enum: many("Any", 20),
    additionalProperties: one("AdditionalProperties", 21),
    type: one("Texts", 22),
    items: one("Schemas", 23),
    properties: one("NamedSchemas", 25),
    vendorExtension: many("NamedAny", 31),
  },
  AdditionalProperties: { schema: one("Schema", 1), boolean: flag(2) },
  Texts: { value: many("string", 1) },
  Schemas: { schema: many("Schema", 1) },
  NamedAny: named("Any"),
  Any: { yaml: text(2) },
};

const DOCUMENT = protobuf.Root.fromJSON({
  nested: Object.fromEntries(Object.entries(MESSAGES).map(([name, fields]) => [name, { fields }])),
}).lookupType("Document");

/** Encodes what `openApiV2Document` has as JSON. */
export function encodeOpenApiV2(document: JsonObject): Uint8Array {
  const message = {
    swagger: document["swagger"],
    info: document["info"],
    paths: { path: namedOf(document["paths"], pathItemOf) },
    definitions: { additionalProperties: namedOf(document["definitions"], schemaOf) },
  };
  return DOCUMENT.encode(message).finish();
}

function pathItemOf(item: JsonObject): JsonObject {
  const methods = Object.entries(item).filter(([name]) => name !== "parameters");
  return {
    ...Object.fromEntries(
      methods.map(([name, operation]) => [name, operationOf(objectOf(operation))]),
    ),
    parameters: parametersOf(item["parameters"]),
  };
}

function operationOf(operation: JsonObject): JsonObject {
  const { description, operationId, consumes = [], parameters, responses } = operation;
  return {
    description,
    operationId,
    consumes,
    parameters: parametersOf(parameters),
    responses: { responseCode: namedOf(responses, responseOf) },
    vendorExtension: extensionsOf(operation),
  };
}

function responseOf({ description, schema }: JsonObject): JsonObject {
  const content = schema === undefined ? {} : { schema: { schema: schemaOf(objectOf(schema)) } };
  return { response: { description, ...content } };
}

function parametersOf(parameters: unknown): JsonObject[] {
  return objectsOf(parameters).map((parameter) => {
    const { schema } = parameter;
    switch (parameter["in"]) {
      case "body":
        return { parameter: { body: { ...parameter, schema: schemaOf(objectOf(schema)) } } };
      case "path":
        return { parameter: { nonBody: { path: parameter } } };
      default:
        return { parameter: { nonBody: { query: parameter } } };
    }
  });
}

function schemaOf(schema: JsonObject): JsonObject {
  const { $ref, type, items, properties, additionalProperties, default: preset } = schema;
  const message: JsonObject = { vendorExtension: extensionsOf(schema) };
  for (const name of Object.keys(SCHEMA_SCALARS)) {
    if (schema[name] !== undefined) message[name] = schema[name];
  }
  if ($ref !== undefined) message["reference"] = $ref;
  if (preset !== undefined) message["default"] = anyOf(preset);
  if (Array.isArray(schema["enum"])) message["enum"] = schema["enum"].map(anyOf);
  if (type !== undefined) message["type"] = { value: [type] };
  if (isObject(items)) message["items"] = { schema: [schemaOf(items)] };
  if (isObject(properties)) {
    message["properties"] = { additionalProperties: namedOf(properties, schemaOf) };
  }
  if (typeof additionalProperties === "boolean") {
    message["additionalProperties"] = { boolean: additionalProperties };
  } else if (isObject(additionalProperties)) {
    message["additionalProperties"] = { schema: schemaOf(additionalProperties) };
  }
  return message;
}

function extensionsOf(value: JsonObject): JsonObject[] {
  return Object.entries(value)
    .filter(([name]) => name.startsWith("x-"))
    .map(([name, extension]) => ({ name, value: anyOf(extension) }));
}

/** Any value travels as YAML, which JSON is. */
function anyOf(value: unknown): JsonObject {
  return { yaml: `${JSON.stringify(value)}\n` };
}

function namedOf(value: unknown, convert: (member: JsonObject) => JsonObject): JsonObject[] {
  return Object.entries(objectOf(value)).map(([name, member]) => ({
    name,
    value: convert(objectOf(member)),
  }));
}

function objectOf(value: unknown): JsonObject {
  return isObject(value) ? value : {};
}

function objectsOf(value: unknown): JsonObject[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}
