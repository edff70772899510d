/** Makes a row of the table from what is particular to a built-in kind. */

import { definitionName } from "#cluster/apiserver/schema/messages.ts";
import { AGE, NAME } from "./columns.ts";
import type { Column, Kind, ScalePaths, Strategy } from "./kind.ts";

/** What a row has to say; the rest follows from convention. */
export interface BuiltIn {
  group: string;
  version: string;
  kind: string;
  /** Default: the kind in lower case with an `s`. */
  plural?: string;
  shortNames?: readonly string[];
  categories?: readonly string[];
  /** Default: true. */
  namespaced?: boolean;
  strategy?: Strategy;
  /** Default: Name and Age. */
  columns?: readonly Column[];
  /** Default: false. */
  statusSubresource?: boolean;
  scale?: ScalePaths;
  /** Default: false. */
  tracksGeneration?: boolean;
}

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

export function builtIn(row: BuiltIn): Kind {
  const { group, version, kind } = row;
  return {
    group,
    version,
    kind,
    listKind: `${kind}List`,
    plural: row.plural ?? `${kind.toLowerCase()}s`,
    singular: kind.toLowerCase(),
    shortNames: row.shortNames ?? [],
    categories: row.categories ?? [],
    namespaced: row.namespaced ?? true,
    schema: { $ref: definitionName(group, version, kind) },
    strategy: row.strategy ?? {},
    columns: row.columns ?? [NAME, AGE],
    statusSubresource: row.statusSubresource ?? false,
    ...(row.scale === undefined ? {} : { scale: row.scale }),
    tracksGeneration: row.tracksGeneration ?? false,
    verbs: VERBS,
    storageVersion: version,
    custom: false,
  };
}
