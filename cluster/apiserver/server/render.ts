/** Objects and lists in the negotiated form: whole, as a Table, or metadata only. */

import { dump } from "js-yaml";
import type { KubeObject } from "#cluster/api/meta.ts";
import { apiVersionOf } from "#cluster/api/resources.ts";
import type { Kind } from "#cluster/apiserver/kinds/kind.ts";
import { jsonOf, managedFieldsOf, objectOf } from "#cluster/apiserver/registry/object-codec.ts";
import { toTable, type TableOptions } from "#cluster/apiserver/tables/table.ts";
import type { StoredValue } from "#cluster/storage/store.ts";
import type { Answer } from "./answer.ts";
import type { Format } from "./negotiate.ts";

/** What of an object goes into the rows of a Table (`includeObject`). */
export type IncludeObject = NonNullable<TableOptions["includeObject"]>;

export function includeObjectOf(query: URLSearchParams): IncludeObject {
  const value = query.get("includeObject");
  return value === "None" || value === "Object" ? value : "Metadata";
}

export interface RenderOptions {
  format: Format;
  includeObject: IncludeObject;
  now: number;
}

/** JSON text of an answer about objects of a kind. */
export function renderJson(
  answer: Extract<Answer, { kind: "stored" | "list" | "object" }>,
  options: RenderOptions,
): string {
  switch (answer.kind) {
    case "object":
      return JSON.stringify(answer.object);
    case "stored":
      return renderStored(answer.of, answer.stored, options);
    case "list":
      return renderList(answer, options);
  }
}

/** One object; `revision` is another than the value's own in the event of its deletion. */
export function renderStored(
  kind: Kind,
  stored: StoredValue,
  options: RenderOptions & { revision?: number },
): string {
  const { format, revision = stored.revision } = options;
  if (format.as === "object") return jsonOf(kind, stored, revision);
  const object = atRevision(objectOf(kind, stored), revision);
  if (format.as === "partial") return JSON.stringify(partial(object, stored, format));
  const metadata = { resourceVersion: String(revision) };
  return JSON.stringify(table(kind, [object], { ...options, metadata }));
}

function renderList(answer: Extract<Answer, { kind: "list" }>, options: RenderOptions): string {
  const { of: kind, values, metadata } = answer;
  const { format } = options;
  if (format.as === "object") {
    const items = values.map((stored) => jsonOf(kind, stored)).join(",");
    const type = `"kind":"${kind.listKind}","apiVersion":"${apiVersionOf(kind)}"`;
    return `{${type},"metadata":${JSON.stringify(metadata)},"items":[${items}]}`;
  }
  if (format.as === "table") {
    const objects = values.map((stored) => objectOf(kind, stored));
    return JSON.stringify(table(kind, objects, { ...options, metadata }));
  }
  return JSON.stringify({
    kind: "PartialObjectMetadataList",
    apiVersion: `meta.k8s.io/${format.version}`,
    metadata,
    items: values.map((stored) => partial(objectOf(kind, stored), stored, format)),
  });
}

function atRevision(object: Readonly<KubeObject>, revision: number): Readonly<KubeObject> {
  const resourceVersion = String(revision);
  if (object.metadata.resourceVersion === resourceVersion) return object;
  return { ...object, metadata: { ...object.metadata, resourceVersion } };
}

function partial({ metadata }: Readonly<KubeObject>, stored: StoredValue, format: Format): object {
  const managedFields = managedFieldsOf(stored);
  return {
    kind: "PartialObjectMetadata",
    apiVersion: `meta.k8s.io/${format.version}`,
    metadata: managedFields.length === 0 ? metadata : { ...metadata, managedFields },
  };
}

function table(
  kind: Kind,
  objects: readonly Readonly<KubeObject>[],
  options: RenderOptions & { metadata: object },
): object {
  const { format, includeObject, now, metadata } = options;
  const made = toTable(kind, objects, { includeObject, now });
  return { ...made, kind: "Table", apiVersion: `meta.k8s.io/${format.version}`, metadata };
}

/** The same JSON value as YAML, for `Accept: application/yaml`. */
export function toYaml(json: string): string {
  return dump(JSON.parse(json), { lineWidth: -1, noRefs: true });
}
