/**
 * A schema as merging sees it: what is owned and replaced as a whole, and what piece by piece
 * (Kubernetes' `x-kubernetes-list-type`, `-list-map-keys`, `-map-type` and patch strategies).
 */

import { flatFields, resolve } from "#cluster/apiserver/schema/definitions.ts";
import { getOwn, isObject } from "#cluster/apiserver/schema/json.ts";
import { messageFields, type MessageField } from "#cluster/apiserver/schema/messages.ts";
import type { Schema } from "#cluster/apiserver/schema/schema.ts";

export type MergeType =
  /** A scalar, or an atomic list or map. */
  | { kind: "leaf" }
  /** The value decides: maps piece by piece, all else as a whole. */
  | { kind: "deduced" }
  | {
      kind: "map";
      fields: ReadonlyMap<string, MergeField>;
      /** Of members that aren't declared. */
      element: MergeField;
    }
  /** A list of scalars, each at most once. */
  | { kind: "set" }
  /** A list of maps that differ in the values of `keys`, which are in order. */
  | { kind: "keyed"; keys: readonly MergeKey[]; item: MergeField };

interface MergeKey {
  readonly name: string;
  /** What an absent key counts as. */
  readonly fallback: unknown;
}

export interface MergeField {
  readonly type: MergeType;
  /** Whether the schema knows it by name. */
  readonly declared: boolean;
  /** In Go the field is there whenever its struct is, and so isn't owned for itself. */
  readonly implied: boolean;
}

export type KeyedType = Extract<MergeType, { kind: "keyed" }>;
export type MapType = Extract<MergeType, { kind: "map" }>;

const LEAF: MergeType = { kind: "leaf" };
export const DEDUCED: MergeType = { kind: "deduced" };
const SET: MergeType = { kind: "set" };

const made = new WeakMap<Schema, MergeType>();

export function mergeTypeOf(schema: Schema): MergeType {
  let type = made.get(schema);
  if (type === undefined) {
    type = build(schema);
    made.set(schema, type);
  }
  return type;
}

export function memberOf(type: MapType, name: string): MergeField {
  return type.fields.get(name) ?? type.element;
}

const OPEN: MergeField = { type: DEDUCED, declared: false, implied: false };

/** How a map whose type the value decides is merged. */
export const DEDUCED_MAP: MapType = {
  kind: "map",
  fields: new Map(),
  element: OPEN,
};

function build(schema: Schema): MergeType {
  const known = resolve(schema);
  switch (known.type) {
    case "object":
      return known["x-kubernetes-map-type"] === "atomic" ? LEAF : mapType(known, schema.$ref);
    case "array":
      return listType(known);
    case undefined:
      if (known.properties !== undefined) return mapType(known, schema.$ref);
      return known["x-kubernetes-int-or-string"] === true ? LEAF : DEDUCED;
    case "string":
    case "integer":
    case "number":
    case "boolean":
      return LEAF;
  }
}

function mapType(known: Schema, name: string | undefined): MergeType {
  const implied = name === undefined ? new Set<string>() : impliedFields(name);
  const properties = Object.entries(known.properties ?? {});
  // A built-in type whose JSON is anything at all (RawExtension, FieldsV1) is owned as a whole.
  if (name !== undefined && properties.length === 0 && !isObject(known.additionalProperties)) {
    return LEAF;
  }
  const fields = properties.map(([field, schema]): [string, MergeField] => [
    field,
    new LaterField(schema, { declared: true, implied: implied.has(field) }),
  ]);
  return { kind: "map", fields: new Map(fields), element: elementOf(known) };
}

function elementOf({ additionalProperties }: Schema): MergeField {
  return isObject(additionalProperties) ? itemField(additionalProperties) : OPEN;
}

function listType(known: Schema): MergeType {
  const items = known.items ?? {};
  const type = known["x-kubernetes-list-type"];
  if (type === "set") return SET;
  if (type === "map") return keyed(items, known["x-kubernetes-list-map-keys"] ?? []);
  if (type === "atomic") return LEAF;
  const strategies = (known["x-kubernetes-patch-strategy"] ?? "").split(",");
  if (!strategies.includes("merge")) return LEAF;
  const key = known["x-kubernetes-patch-merge-key"];
  return key === undefined ? SET : keyed(items, [key]);
}

function keyed(items: Schema, names: readonly string[]): MergeType {
  const properties = resolve(items).properties ?? {};
  const keys = names
    .toSorted()
    .map((name) => ({ name, fallback: getOwn(properties, name)?.default }));
  return { kind: "keyed", keys, item: itemField(items) };
}

function itemField(schema: Schema): MergeField {
  return new LaterField(schema, { declared: false, implied: false });
}

/** Types may contain themselves: made when first asked for. */
class LaterField implements MergeField {
  readonly declared: boolean;
  readonly implied: boolean;
  readonly #schema: Schema;
  #type: MergeType | undefined;

  constructor(schema: Schema, be: { declared: boolean; implied: boolean }) {
    this.#schema = schema;
    this.declared = be.declared;
    this.implied = be.implied;
  }

  get type(): MergeType {
    this.#type ??= mergeTypeOf(this.#schema);
    return this.#type;
  }
}

function impliedFields(name: string): Set<string> {
  if (messageFields(name) === undefined) return new Set();
  return new Set(
    flatFields(name)
      .filter(isImplied)
      .map((field) => field.name),
  );
}

function isImplied(field: MessageField): boolean {
  if (field.pointer === true) return false;
  if (field.repeated === true || field.map === true) return field.required === true;
  return field.type.startsWith("#");
}
