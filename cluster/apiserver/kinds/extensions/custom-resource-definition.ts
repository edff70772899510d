/** CustomResourceDefinitions. */

import type { KubeObject } from "#cluster/api/meta.ts";
import type {
  CustomResourceDefinition,
  CustomResourceDefinitionSpec,
  CustomResourceDefinitionVersion,
} from "#cluster/api/generated/apiextensions-v1.ts";
import { NAME } from "#cluster/apiserver/kinds/columns.ts";
import type { Column, Strategy } from "#cluster/apiserver/kinds/kind.ts";
import { check, immutable } from "#cluster/apiserver/kinds/meta.ts";
import { dns1035Label, dns1123Subdomain } from "#cluster/apiserver/kinds/names.ts";
import { strategyOf } from "#cluster/apiserver/kinds/strategy.ts";
import { at, isObject, objectsAt, stringAt } from "#cluster/apiserver/schema/json.ts";
import * as problem from "#cluster/apiserver/schema/problem.ts";
import type { FieldProblem } from "#cluster/apiserver/schema/schema.ts";
import { structuralProblems } from "#cluster/apiserver/schema/structural.ts";
import { compileJsonPath } from "#cluster/apiserver/tables/json-path.ts";

const APPROVAL = "api-approved.kubernetes.io";

export const CUSTOM_RESOURCE_DEFINITION_STRATEGY: Strategy = strategyOf<CustomResourceDefinition>({
  applyDefaults: defaultNames,
  prepare: (object, _old, { operation }) => {
    if (operation === "create") {
      const acceptedNames = { plural: "", kind: "" };
      object.status = { conditions: [], acceptedNames, storedVersions: [] };
    }
    noteStoredVersion(object);
  },
  validate: (crd) => [...validateNames(crd), ...validateVersions(crd.spec)],
  validateUpdate: ({ spec }, old) => {
    const problems: FieldProblem[] = [];
    const same = (field: string, after: string, before: string): void => {
      if (after !== before) problems.push(immutable(field, after));
    };
    same("spec.group", spec.group, old.spec.group);
    same("spec.scope", spec.scope, old.spec.scope);
    same("spec.names.kind", spec.names.kind, old.spec.names.kind);
    same("spec.names.plural", spec.names.plural, old.spec.names.plural);
    return problems;
  },
});

function defaultNames(object: KubeObject): void {
  const names = at(object, "spec", "names");
  if (!isObject(names)) return;
  const kind = stringAt(names, "kind");
  if (kind === "") return;
  if (stringAt(names, "singular") === "") names["singular"] = kind.toLowerCase();
  if (stringAt(names, "listKind") === "") names["listKind"] = `${kind}List`;
}

/** Whatever was the storage version once may still be in the store. */
function noteStoredVersion(object: KubeObject): void {
  const storage = objectsAt(object, "spec", "versions").find(
    (version) => version["storage"] === true,
  );
  const { status } = object;
  const name = stringAt(storage, "name");
  if (name === "" || !isObject(status)) return;
  const known: unknown[] = Array.isArray(status["storedVersions"]) ? status["storedVersions"] : [];
  if (!known.includes(name)) status["storedVersions"] = [...known, name];
}

function validateNames({ metadata, spec }: CustomResourceDefinition): FieldProblem[] {
  const { group, names, preserveUnknownFields } = spec;
  // The status has names of this type too, and may have them empty: no rule of the schema.
  const missing = (["plural", "kind"] as const).filter((field) => (names[field] ?? "") === "");
  if (missing.length > 0) return missing.map((field) => problem.required(`spec.names.${field}`));
  const problems: FieldProblem[] = [];
  const label = (field: string, text: string): void => {
    if (text === "") problems.push(problem.required(`spec.names.${field}`));
    else problems.push(...check(`spec.names.${field}`, text, dns1035Label(text)));
  };
  const expected = `${names.plural}.${group}`;
  if (metadata.name !== expected) {
    const detail = 'must be spec.names.plural+"."+spec.group';
    problems.push(problem.invalid("metadata.name", metadata.name, detail));
  }
  problems.push(...check("spec.group", group, dns1123Subdomain(group)));
  if (!group.includes(".")) {
    problems.push(problem.invalid("spec.group", group, "should be a domain with at least one dot"));
  }
  const isProtected = /(?:^|\.)(?:k8s|kubernetes)\.io$/.test(group);
  if (isProtected && (metadata.annotations?.[APPROVAL] ?? "") === "") {
    const detail = `protected groups must have approval annotation "${APPROVAL}", see https://github.com/kubernetes/enhancements/pull/1111`;
    problems.push(problem.required(`metadata.annotations[${APPROVAL}]`, detail));
  }
  label("plural", names.plural);
  label("singular", names.singular ?? "");
  label("kind", names.kind.toLowerCase());
  label("listKind", (names.listKind ?? "").toLowerCase());
  for (const [index, name] of (names.shortNames ?? []).entries())
    label(`shortNames[${index}]`, name);
  for (const [index, name] of (names.categories ?? []).entries())
    label(`categories[${index}]`, name);
  if (names.listKind === names.kind) {
    const detail = "kind and listKind may not be the same";
    problems.push(problem.invalid("spec.names.listKind", names.listKind, detail));
  }
  if (preserveUnknownFields === true) {
    const detail =
      "must be false: set x-kubernetes-preserve-unknown-fields to true in the schema instead";
    problems.push(problem.invalid("spec.preserveUnknownFields", true, detail));
  }
  return problems;
}

function validateVersions(spec: CustomResourceDefinitionSpec): FieldProblem[] {
  const { versions, conversion } = spec;
  const names = new Set<string>();
  const problems = versions.flatMap((version, index) => {
    const path = `spec.versions[${index}]`;
    const found = validateVersion(version, path);
    if (names.has(version.name)) found.push(problem.duplicate(`${path}.name`, version.name));
    names.add(version.name);
    return found;
  });
  if (versions.filter((version) => version.storage).length !== 1) {
    const detail = "must have exactly one version marked as storage version";
    problems.push(
      problem.invalid(
        "spec.versions",
        versions.map(({ name }) => name),
        detail,
      ),
    );
  }
  if (conversion?.strategy === "Webhook") {
    // Serving another version than was asked for would be worse than refusing.
    const detail = "this server converts by strategy None only";
    problems.push(problem.forbidden("spec.conversion.strategy", detail));
  }
  return problems;
}

function validateVersion(version: CustomResourceDefinitionVersion, path: string): FieldProblem[] {
  const problems = check(`${path}.name`, version.name, dns1035Label(version.name));
  const schema = version.schema?.openAPIV3Schema;
  const field = `${path}.schema.openAPIV3Schema`;
  if (schema === undefined) problems.push(problem.required(field, "schemas are required"));
  else problems.push(...structuralProblems(schema, field));
  for (const [index, column] of (version.additionalPrinterColumns ?? []).entries()) {
    const at = `${path}.additionalPrinterColumns[${index}].jsonPath`;
    problems.push(...validateJsonPath(column.jsonPath, at));
  }
  for (const [index, { jsonPath }] of (version.selectableFields ?? []).entries()) {
    problems.push(...validateJsonPath(jsonPath, `${path}.selectableFields[${index}].jsonPath`));
  }
  const scale = version.subresources?.scale;
  if (scale !== undefined) {
    const at = `${path}.subresources.scale`;
    problems.push(
      ...validateScalePath(scale.specReplicasPath, `${at}.specReplicasPath`, ".spec."),
      ...validateScalePath(scale.statusReplicasPath, `${at}.statusReplicasPath`, ".status."),
    );
  }
  return problems;
}

function validateJsonPath(jsonPath: string, path: string): FieldProblem[] {
  const compiled = compileJsonPath(jsonPath);
  if (jsonPath.startsWith(".") && compiled.ok) return [];
  const detail = compiled.ok ? "must be a simple json path starting with ." : compiled.message;
  return [problem.invalid(path, jsonPath, detail)];
}

function validateScalePath(jsonPath: string, path: string, prefix: string): FieldProblem[] {
  if (jsonPath.startsWith(prefix) && compileJsonPath(jsonPath).ok) return [];
  const detail = `should be a json path under ${prefix.slice(0, -1)}`;
  return [problem.invalid(path, jsonPath, detail)];
}

export const CUSTOM_RESOURCE_DEFINITION_COLUMNS: readonly Column[] = [
  NAME,
  {
    name: "Created At",
    type: "date",
    description: "When the definition was created",
    priority: 0,
    cell: ({ metadata }) => metadata.creationTimestamp ?? null,
  },
];
