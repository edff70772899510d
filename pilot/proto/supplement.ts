/** Parts of the Envoy API that the package's .proto files refer to but don't bring. */

/** A field as `descriptors.ts` describes it. */
interface Field {
  id: number;
  name: string;
  jsonName: string;
  type: "message" | "string" | "bool" | "int64" | "double" | "bytes";
  typeName?: string;
  repeated?: true;
  oneof?: string;
  presence?: true;
}

const OTLP = "opentelemetry.proto.common.v1";
const OTEL_LOG = "envoy.extensions.access_loggers.open_telemetry.v3.OpenTelemetryAccessLogConfig";

function message(id: number, name: string, typeName: string): Field {
  const jsonName = name.replaceAll(/_(.)/g, (_, letter: string) => letter.toUpperCase());
  return { id, name, jsonName, type: "message", typeName, presence: true };
}

function many(id: number, name: string, typeName: string): Field {
  return { id, name, jsonName: name, type: "message", typeName, repeated: true };
}

function choice(field: Field): Field {
  return { ...field, oneof: "value", presence: true };
}

/** OpenTelemetry's common.proto, and the fields of Envoy that are of its types. */
export const SUPPLEMENT: Readonly<Record<string, readonly Field[]>> = {
  [`${OTLP}.AnyValue`]: [
    choice({ id: 1, name: "string_value", jsonName: "stringValue", type: "string" }),
    choice({ id: 2, name: "bool_value", jsonName: "boolValue", type: "bool" }),
    choice({ id: 3, name: "int_value", jsonName: "intValue", type: "int64" }),
    choice({ id: 4, name: "double_value", jsonName: "doubleValue", type: "double" }),
    choice(message(5, "array_value", `${OTLP}.ArrayValue`)),
    choice(message(6, "kvlist_value", `${OTLP}.KeyValueList`)),
    choice({ id: 7, name: "bytes_value", jsonName: "bytesValue", type: "bytes" }),
  ],
  [`${OTLP}.ArrayValue`]: [many(1, "values", `${OTLP}.AnyValue`)],
  [`${OTLP}.KeyValueList`]: [many(1, "values", `${OTLP}.KeyValue`)],
  [`${OTLP}.KeyValue`]: [
    { id: 1, name: "key", jsonName: "key", type: "string" },
    message(2, "value", `${OTLP}.AnyValue`),
  ],
  [OTEL_LOG]: [
    message(2, "body", `${OTLP}.AnyValue`),
    message(3, "attributes", `${OTLP}.KeyValueList`),
    message(4, "resource_attributes", `${OTLP}.KeyValueList`),
  ],
};
