/** Table answers (meta.k8s.io/v1), what kubectl prints. */

import type { KubeObject, ListMeta } from "#cluster/api/meta.ts";
import type { Kind } from "#cluster/apiserver/kinds/kind.ts";

export interface TableColumn {
  name: string;
  type: string;
  format: string;
  description: string;
  priority: number;
}

export interface TableRow {
  cells: (string | number | boolean | null)[];
  object?: KubeObject;
}

export interface Table {
  kind: "Table";
  apiVersion: "meta.k8s.io/v1";
  metadata: ListMeta;
  columnDefinitions: TableColumn[];
  rows: TableRow[];
}

export interface TableOptions {
  /** What of each object its row carries: kubectl asks for the metadata. */
  includeObject: "None" | "Metadata" | "Object";
  /** Milliseconds since the epoch, for ages. */
  now: number;
  listMeta?: ListMeta;
}

/** Rows of objects of one kind, in their order. */
export function toTable(kind: Kind, objects: readonly KubeObject[], options: TableOptions): Table {
  return {
    kind: "Table",
    apiVersion: "meta.k8s.io/v1",
    metadata: options.listMeta ?? {},
    columnDefinitions: kind.columns.map((column) => ({
      name: column.name,
      type: column.type,
      format: column.format ?? "",
      description: column.description ?? "",
      priority: column.priority,
    })),
    rows: objects.map((object) => toRow(kind, object, options)),
  };
}

function toRow(kind: Kind, object: KubeObject, { includeObject, now }: TableOptions): TableRow {
  const cells = kind.columns.map((column) => column.cell(object, now));
  switch (includeObject) {
    case "None":
      return { cells };
    case "Object":
      return { cells, object };
    case "Metadata":
      return {
        cells,
        object: {
          kind: "PartialObjectMetadata",
          apiVersion: "meta.k8s.io/v1",
          metadata: object.metadata,
        },
      };
  }
}
