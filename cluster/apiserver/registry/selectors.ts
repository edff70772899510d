/** `labelSelector` and `fieldSelector` of a request, as one predicate. */

import type { KubeObject } from "#cluster/api/meta.ts";
import { matchesRequirements, parseSelector } from "#cluster/api/selector.ts";
import { statusError } from "#cluster/api/status-error.ts";
import type { Kind } from "#cluster/apiserver/kinds/kind.ts";

interface FieldTerm {
  field: string;
  value: string;
  equal: boolean;
}

export interface Selection {
  /** Absent when everything is selected: then no object need be parsed. */
  matches?: (object: Readonly<KubeObject>) => boolean;
  /** The one name that a field selector asks for. */
  name?: string;
}

/** Throws BadRequest for what can't be parsed and for fields that the kind doesn't offer. */
export function parseSelection(kind: Kind, query: URLSearchParams, name = ""): Selection {
  const labels = parseSelector(query.get("labelSelector") ?? "");
  if (!labels.ok) throw statusError("BadRequest", labels.message);
  const fields = parseFieldTerms(query.get("fieldSelector") ?? "");
  if (name !== "") fields.push({ field: "metadata.name", value: name, equal: true });
  for (const { field } of fields) checkField(kind, field);
  if (labels.requirements.length === 0 && fields.length === 0) return {};
  const matches = (object: Readonly<KubeObject>): boolean =>
    matchesRequirements(labels.requirements, object.metadata.labels) &&
    (fields.length === 0 || matchesFields(kind, fields, object));
  const named = fields.find((term) => term.field === "metadata.name" && term.equal);
  return { matches, name: named?.value };
}

function parseFieldTerms(text: string): FieldTerm[] {
  const terms = text.split(",").filter((term) => term.trim() !== "");
  return terms.map((term) => {
    const groups = /^(?<field>[^=!]+)(?<op>!=|==|=)(?<value>.*)$/.exec(term.trim())?.groups;
    if (groups?.field === undefined) {
      throw statusError("BadRequest", `invalid selector: '${term}'; can't understand '${term}'`);
    }
    const value = (groups.value ?? "").replaceAll(/\\([\\,=])/g, "$1");
    return { field: groups.field.trim(), value, equal: groups.op !== "!=" };
  });
}

function checkField(kind: Kind, field: string): void {
  if (field === "metadata.name" || field === "metadata.namespace") return;
  const offered = kind.strategy.selectableFields?.({
    metadata: { name: "" },
    spec: {},
    status: {},
  });
  if (offered === undefined || !Object.hasOwn(offered, field)) {
    throw statusError("BadRequest", `field label not supported: ${field}`);
  }
}

function matchesFields(
  kind: Kind,
  terms: readonly FieldTerm[],
  object: Readonly<KubeObject>,
): boolean {
  const { name, namespace = "" } = object.metadata;
  const values: Record<string, string> = {
    ...kind.strategy.selectableFields?.(object),
    "metadata.name": name,
    "metadata.namespace": namespace,
  };
  return terms.every(({ field, value, equal }) => ((values[field] ?? "") === value) === equal);
}
