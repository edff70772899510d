/**
 * The one schema language of the API server: Kubernetes structural schemas (the subset of OpenAPI
 * v3 that CustomResourceDefinition documents), as plain JSON. Built-in kinds use it with `$ref`
 * into the definitions made from `generated/messages.json`; custom resources without.
 */
export interface Schema {
  /** Name of a built-in definition, for example `io.k8s.api.core.v1.PodSpec`. */
  $ref?: string;
  type?: "object" | "array" | "string" | "integer" | "number" | "boolean";
  format?: string;
  title?: string;
  description?: string;
  properties?: Record<string, Schema>;
  additionalProperties?: Schema | boolean;
  items?: Schema;
  required?: string[];
  enum?: unknown[];
  default?: unknown;
  nullable?: boolean;
  pattern?: string;
  minLength?: number;
  maxLength?: number;
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: boolean;
  exclusiveMaximum?: boolean;
  multipleOf?: number;
  minItems?: number;
  maxItems?: number;
  uniqueItems?: boolean;
  minProperties?: number;
  maxProperties?: number;
  allOf?: Schema[];
  anyOf?: Schema[];
  oneOf?: Schema[];
  not?: Schema;
  example?: unknown;
  "x-kubernetes-preserve-unknown-fields"?: boolean;
  "x-kubernetes-int-or-string"?: boolean;
  "x-kubernetes-embedded-resource"?: boolean;
  "x-kubernetes-list-type"?: "atomic" | "set" | "map";
  "x-kubernetes-list-map-keys"?: string[];
  "x-kubernetes-map-type"?: "atomic" | "granular";
  "x-kubernetes-patch-strategy"?: string;
  "x-kubernetes-patch-merge-key"?: string;
  "x-kubernetes-validations"?: ValidationRule[];
  "x-kubernetes-group-version-kind"?: { group: string; version: string; kind: string }[];
}

/** A rule in CEL on the value at its place, which it knows as `self` (`cel/rules.ts`). */
export interface ValidationRule {
  rule: string;
  message?: string;
  /** Gives the message; what it can't give is taken from `message`. */
  messageExpression?: string;
  /** From the rule's place to the field that is to blame: `.spec.name`. */
  fieldPath?: string;
  reason?:
    "FieldValueInvalid" | "FieldValueForbidden" | "FieldValueRequired" | "FieldValueDuplicate";
}

/** One thing that is wrong with an object, as a StatusCause will say it. */
export interface FieldProblem {
  /** Kubernetes' field path, for example `spec.http[0].route[0].weight`. */
  field: string;
  reason:
    | "FieldValueRequired"
    | "FieldValueInvalid"
    | "FieldValueNotSupported"
    | "FieldValueForbidden"
    | "FieldValueDuplicate"
    | "FieldValueNotFound"
    | "FieldValueTypeInvalid"
    | "FieldValueTooLong"
    | "FieldValueTooMany";
  /** Without the path, for example `Invalid value: -1: must be greater than or equal to 0`. */
  message: string;
}
