/** Makers of FieldProblems with Kubernetes' wording (apimachinery `util/validation/field`). */

import type { FieldProblem } from "./schema.ts";

export function required(field: string, detail = ""): FieldProblem {
  return problem(field, "FieldValueRequired", withDetail("Required value", detail));
}

export function forbidden(field: string, detail: string): FieldProblem {
  return problem(field, "FieldValueForbidden", withDetail("Forbidden", detail));
}

export function invalid(field: string, value: unknown, detail: string): FieldProblem {
  return problem(field, "FieldValueInvalid", `Invalid value: ${show(value)}: ${detail}`);
}

/** `value` is the value, or the name of the type that came instead. */
export function typeInvalid(field: string, value: unknown, detail: string): FieldProblem {
  return problem(field, "FieldValueTypeInvalid", `Invalid value: ${show(value)}: ${detail}`);
}

export function duplicate(field: string, value: unknown): FieldProblem {
  return problem(field, "FieldValueDuplicate", `Duplicate value: ${show(value)}`);
}

export function notSupported(
  field: string,
  value: unknown,
  supported: readonly unknown[],
): FieldProblem {
  const list = supported.map(quote).join(", ");
  const message = `Unsupported value: ${show(value)}: supported values: ${list}`;
  return problem(field, "FieldValueNotSupported", message);
}

export function notFound(field: string, value: unknown): FieldProblem {
  return problem(field, "FieldValueNotFound", `Not found: ${show(value)}`);
}

export function tooLong(field: string, maxBytes: number): FieldProblem {
  const message = `Too long: may not be more than ${maxBytes} bytes`;
  return problem(field, "FieldValueTooLong", message);
}

export function tooMany(field: string, count: number, max: number): FieldProblem {
  return problem(
    field,
    "FieldValueTooMany",
    `Too many: ${count}: must have at most ${max} ${max === 1 ? "item" : "items"}`,
  );
}

/** `field.Path.Child`; the root's path is empty. */
export function child(path: string, name: string): string {
  return path === "" ? name : `${path}.${name}`;
}

const MAX_SHOWN = 1024;

function problem(field: string, reason: FieldProblem["reason"], message: string): FieldProblem {
  return { field, reason, message };
}

function withDetail(text: string, detail: string): string {
  return detail === "" ? text : `${text}: ${detail}`;
}

function show(value: unknown): string {
  const text = JSON.stringify(value) ?? "null";
  return text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text;
}

function quote(value: unknown): string {
  return JSON.stringify(typeof value === "string" ? value : JSON.stringify(value));
}
