import type { Schema } from "#cluster/apiserver/schema/schema.ts";

/** Keywords for a field; `required` makes the server insist on a value that is not empty. */
export type FieldRule = Omit<Schema, "required"> & { required?: true };

/** Field name → rule, of one type. */
export type TypeRules = Readonly<Record<string, FieldRule>>;

/** Field rules that many types share. */
export const REQUIRED: FieldRule = { required: true };
export const NOT_NEGATIVE: FieldRule = { minimum: 0 };
export const PORT: FieldRule = { minimum: 1, maximum: 65535 };
/** 0644, as volumes of projected files have it. */
export const FILE_MODE: FieldRule = { minimum: 0, maximum: 511, default: 420 };

/** A string of a closed set; with `fallback`, absent means that. */
export function oneOf(values: readonly string[], fallback?: string): FieldRule {
  return { enum: [...values], ...(fallback === undefined ? {} : { default: fallback }) };
}
