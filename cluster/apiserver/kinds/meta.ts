/** Validation of what all kinds share: metadata, labels, selectors (apimachinery `ValidateObjectMeta`). */

import type { LabelSelector, PartialMeta } from "#cluster/api/meta.ts";
import * as problem from "#cluster/apiserver/schema/problem.ts";
import { child } from "#cluster/apiserver/schema/problem.ts";
import type { FieldProblem } from "#cluster/apiserver/schema/schema.ts";
import * as names from "./names.ts";

/** A rule of `names.ts`. */
export type NameRule = (text: string) => string[];

const MAX_ANNOTATION_BYTES = 256 * 1024;

export function validateObjectMeta(
  metadata: PartialMeta,
  nameRule: NameRule,
  path = "metadata",
): FieldProblem[] {
  return [...validateName(metadata, nameRule, path), ...validateTemplateMeta(metadata, path)];
}

/** `nameRule` is for `name`; a server that has not made the name yet checks `generateName`. */
export function validateName(
  { name = "", generateName = "" }: PartialMeta,
  nameRule: NameRule,
  path = "metadata",
): FieldProblem[] {
  const problems: FieldProblem[] = [];
  if (generateName !== "") {
    // What the server appends may end with a letter, so a trailing dash is fine.
    const masked = generateName.replace(/-+$/, "-a");
    problems.push(...check(child(path, "generateName"), generateName, nameRule(masked)));
  }
  if (name !== "") problems.push(...check(child(path, "name"), name, nameRule(name)));
  else if (generateName === "") {
    problems.push(problem.required(child(path, "name"), "name or generateName is required"));
  }
  return problems;
}

/** Of pod templates, which have no name of their own. */
export function validateTemplateMeta(metadata: PartialMeta, path: string): FieldProblem[] {
  return [
    ...validateLabels(metadata.labels, child(path, "labels")),
    ...validateAnnotations(metadata.annotations, child(path, "annotations")),
    ...validateFinalizers(metadata.finalizers, child(path, "finalizers")),
    ...validateOwners(metadata, child(path, "ownerReferences")),
  ];
}

export function validateLabels(
  labels: Readonly<Record<string, string>> | undefined,
  path: string,
): FieldProblem[] {
  return Object.entries(labels ?? {}).flatMap(([key, value]) => [
    ...check(path, key, names.qualifiedName(key)),
    ...check(path, value, names.labelValue(value)),
  ]);
}

/** Its operators, keys and values. */
export function validateLabelSelector(
  selector: LabelSelector | undefined,
  path: string,
): FieldProblem[] {
  const problems = validateLabels(selector?.matchLabels, child(path, "matchLabels"));
  for (const [index, { key, operator, values }] of (selector?.matchExpressions ?? []).entries()) {
    const at = `${child(path, "matchExpressions")}[${index}]`;
    const count = values?.length ?? 0;
    if (operator === "In" || operator === "NotIn") {
      const detail = "must be specified when `operator` is 'In' or 'NotIn'";
      if (count === 0) problems.push(problem.required(`${at}.values`, detail));
    } else if (operator === "Exists" || operator === "DoesNotExist") {
      const detail = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
      if (count > 0) problems.push(problem.forbidden(`${at}.values`, detail));
    } else {
      const detail = "not a valid selector operator";
      problems.push(problem.invalid(`${at}.operator`, operator ?? "", detail));
    }
    problems.push(...check(`${at}.key`, key ?? "", names.qualifiedName(key ?? "")));
    for (const [place, value] of (values ?? []).entries()) {
      problems.push(...check(`${at}.values[${place}]`, value, names.labelValue(value)));
    }
  }
  return problems;
}

/** A problem for each thing that a name rule found wrong. */
export function check(path: string, value: unknown, details: readonly string[]): FieldProblem[] {
  return details.map((detail) => problem.invalid(path, value, detail));
}

/** A field that must stay as it was. */
export function immutable(path: string, value: unknown): FieldProblem {
  return problem.invalid(path, value, "field is immutable");
}

function validateAnnotations(
  annotations: Readonly<Record<string, string>> | undefined,
  path: string,
): FieldProblem[] {
  const entries = Object.entries(annotations ?? {});
  const problems = entries.flatMap(([key]) =>
    check(path, key, names.qualifiedName(key.toLowerCase())),
  );
  const bytes = entries.reduce((sum, [key, value]) => sum + key.length + value.length, 0);
  if (bytes > MAX_ANNOTATION_BYTES) problems.push(problem.tooLong(path, MAX_ANNOTATION_BYTES));
  return problems;
}

function validateFinalizers(finalizers: readonly string[] = [], path: string): FieldProblem[] {
  return finalizers.flatMap((finalizer, index) =>
    check(`${path}[${index}]`, finalizer, names.qualifiedName(finalizer)),
  );
}

function validateOwners({ ownerReferences = [] }: PartialMeta, path: string): FieldProblem[] {
  const problems: FieldProblem[] = [];
  for (const [index, owner] of ownerReferences.entries()) {
    for (const field of ["apiVersion", "kind", "name", "uid"] as const) {
      if ((owner[field] ?? "") !== "") continue;
      const detail = `${field} must not be empty`;
      problems.push(problem.invalid(`${path}[${index}].${field}`, owner[field] ?? "", detail));
    }
  }
  const controllers = ownerReferences.filter((owner) => owner.controller === true);
  if (controllers.length > 1) {
    const kinds = controllers.map((owner) => `${owner.kind}/${owner.name}`).join(", ");
    const detail = `Only one reference can have Controller set to true. Found "true" in references for ${kinds}`;
    problems.push(problem.invalid(path, ownerReferences, detail));
  }
  return problems;
}
