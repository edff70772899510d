/** CustomResourceDefinition → rows of the table of kinds. */

import type {
  CustomResourceDefinition,
  CustomResourceDefinitionVersion,
  CustomResourceColumnDefinition,
} from "#cluster/api/generated/apiextensions-v1.ts";
import { META } from "#cluster/apiserver/schema/messages.ts";
import type { Schema } from "#cluster/apiserver/schema/schema.ts";
import { ageSince } from "#cluster/apiserver/tables/age.ts";
import { compileJsonPath } from "#cluster/apiserver/tables/json-path.ts";
import { AGE, NAME } from "./columns.ts";
import type { Column, Kind, Strategy } from "./kind.ts";

const VERBS = [
  "create",
  "delete",
  "deletecollection",
  "get",
  "list",
  "patch",
  "update",
  "watch",
] as const;

/** One row a served version; the definition is taken as valid (its own kind's strategy says so). */
export function customKinds(crd: CustomResourceDefinition): Kind[] {
  const { group, names, scope, versions } = crd.spec;
  const acceptedNames = crd.status?.acceptedNames;
  const accepted = acceptedNames !== undefined && acceptedNames.kind !== "" ? acceptedNames : names;
  const storageVersion = versions.find((version) => version.storage)?.name ?? "";
  return versions
    .filter((version) => version.served)
    .map((version) => ({
      group,
      version: version.name,
      kind: names.kind,
      listKind: names.listKind ?? `${names.kind}List`,
      plural: names.plural,
      singular: names.singular ?? names.kind.toLowerCase(),
      shortNames: accepted.shortNames ?? [],
      categories: accepted.categories ?? [],
      namespaced: scope === "Namespaced",
      schema: schemaOf(version),
      strategy: strategyOf(version),
      columns: columnsOf(version.additionalPrinterColumns ?? []),
      statusSubresource: version.subresources?.status !== undefined,
      ...(version.subresources?.scale === undefined ? {} : { scale: version.subresources.scale }),
      tracksGeneration: true,
      verbs: VERBS,
      storageVersion,
      custom: true,
    }));
}

/** The root has the type's and the object's metadata, whatever the definition says of them. */
function schemaOf(version: CustomResourceDefinitionVersion): Schema {
  // The definition was validated when it was written: its schema is in our language.
  const schema = (version.schema?.openAPIV3Schema ?? {
    "x-kubernetes-preserve-unknown-fields": true,
  }) as Schema;
  return {
    ...schema,
    type: "object",
    properties: {
      ...schema.properties,
      apiVersion: { type: "string" },
      kind: { type: "string" },
      metadata: { $ref: `${META}.ObjectMeta` },
    },
  };
}

function strategyOf(version: CustomResourceDefinitionVersion): Strategy {
  const hasStatus = version.subresources?.status !== undefined;
  const selectable = (version.selectableFields ?? []).flatMap(({ jsonPath }) => {
    const path = compileJsonPath(jsonPath);
    return path.ok ? [{ name: jsonPath.replace(/^\./, ""), evaluate: path.evaluate }] : [];
  });
  const strategy: Strategy = {
    selectableFields: (object) =>
      Object.fromEntries(
        selectable.map(({ name, evaluate }) => [name, fieldText(evaluate(object)[0])]),
      ),
  };
  if (!hasStatus) return strategy;
  return {
    ...strategy,
    prepare: (object, _old, { operation }) => {
      if (operation === "create") delete object.status;
    },
  };
}

/** A selectable field is a string, a number or a boolean; anything else reads as empty. */
function fieldText(value: unknown): string {
  if (typeof value === "string") return value;
  return typeof value === "number" || typeof value === "boolean" ? String(value) : "";
}

function columnsOf(definitions: readonly CustomResourceColumnDefinition[]): Column[] {
  if (definitions.length === 0) return [NAME, { ...AGE, type: "date" }];
  return [NAME, ...definitions.map(columnOf)];
}

function columnOf(definition: CustomResourceColumnDefinition): Column {
  const { name, type, format, description, jsonPath, priority } = definition;
  const path = compileJsonPath(jsonPath);
  return {
    name,
    type: columnType(type),
    ...(format === undefined ? {} : { format }),
    description:
      description ?? `Custom resource definition column (in JSONPath format): ${jsonPath}`,
    priority: priority ?? 0,
    cell: (object, now) => (path.ok ? cellOf(type, path.evaluate(object)[0], now) : null),
  };
}

function columnType(type: string): Column["type"] {
  switch (type) {
    case "integer":
    case "number":
    case "boolean":
    case "date":
      return type;
    default:
      return "string";
  }
}

/** A value as its column's type wants it; null where it is of another. */
function cellOf(type: string, value: unknown, now: number): string | number | boolean | null {
  if (value === undefined || value === null) return null;
  switch (type) {
    case "integer":
      return typeof value === "number" ? Math.trunc(value) : null;
    case "number":
      return typeof value === "number" ? value : null;
    case "boolean":
      return typeof value === "boolean" ? value : null;
    case "date":
      return typeof value === "string" ? ageSince(value, now) : null;
    default:
      return typeof value === "string" ? value : JSON.stringify(value);
  }
}
