/** A decoded body → an object of the kind that the path names. */

import type { KubeObject } from "#cluster/api/meta.ts";
import { apiVersionOf } from "#cluster/api/resources.ts";
import { statusError } from "#cluster/api/status-error.ts";
import type { Kind } from "#cluster/apiserver/kinds/kind.ts";
import { isObject } from "#cluster/apiserver/schema/json.ts";
import { pruneUnknown } from "#cluster/apiserver/schema/prune.ts";

export type FieldValidation = "Strict" | "Warn" | "Ignore";

/** The `fieldValidation` parameter; the default warns, as Kubernetes' does. */
export function fieldValidationOf(query: URLSearchParams): FieldValidation {
  const value = query.get("fieldValidation") ?? "";
  if (value === "" || value === "Warn") return "Warn";
  if (value === "Strict" || value === "Ignore") return value;
  throw statusError(
    "BadRequest",
    `fieldValidation: Unsupported value: ${JSON.stringify(value)}: supported values: "Ignore", "Strict", "Warn"`,
  );
}

/** Whether `dryRun=All` was asked for; any other value is refused. */
export function dryRunOf(values: readonly string[]): boolean {
  const asked = values.filter((value) => value !== "");
  if (asked.some((value) => value !== "All")) {
    throw statusError(
      "BadRequest",
      `dryRun: Unsupported value: ${JSON.stringify(asked)}: supported values: "All"`,
    );
  }
  return asked.length > 0;
}

/**
 * Checks that a body is an object of this kind and drops the fields that the kind doesn't have:
 * with a warning each, or, when Strict, by refusing the request.
 */
export function parseObject(
  kind: Kind,
  body: unknown,
  options: { fieldValidation: FieldValidation; warnings: string[] },
): KubeObject {
  if (!isObject(body)) throw statusError("BadRequest", `the body must be a ${kind.kind} object`);
  const apiVersion = apiVersionOf(kind);
  checkType("API version", body.apiVersion, apiVersion);
  checkType("kind", body.kind, kind.kind);
  const metadata = body.metadata ?? {};
  if (!isObject(metadata)) throw statusError("BadRequest", "metadata: must be an object");
  for (const field of ["name", "namespace", "generateName", "resourceVersion", "uid"] as const) {
    if (metadata[field] === null) delete metadata[field];
    const type = typeof metadata[field];
    if (type !== "string" && type !== "undefined") {
      throw statusError("BadRequest", `metadata.${field}: must be a string, not a ${type}`);
    }
  }
  const object = { ...body, apiVersion, kind: kind.kind, metadata } as unknown as KubeObject;
  reportUnknown(pruneUnknown(kind.schema, object), options);
  return object;
}

function checkType(what: string, given: unknown, expected: string): void {
  if (given === undefined || given === "" || given === expected) return;
  throw statusError(
    "BadRequest",
    `the ${what} in the data (${typeof given === "string" ? given : typeof given}) does not match the expected ${what} (${expected})`,
  );
}

function reportUnknown(
  paths: readonly string[],
  options: { fieldValidation: FieldValidation; warnings: string[] },
): void {
  if (paths.length === 0 || options.fieldValidation === "Ignore") return;
  const texts = paths.map((path) => `unknown field "${path}"`);
  if (options.fieldValidation === "Strict") {
    throw statusError("BadRequest", `strict decoding error: ${texts.join(", ")}`);
  }
  options.warnings.push(...texts);
}
