/**
 * A row of the table of kinds. Built-in kinds are rows of `table.ts`; an established
 * CustomResourceDefinition adds a row a served version at run time. Everything that the API server
 * does (paths, defaulting, validation, storage, patches, discovery, OpenAPI, tables) reads rows.
 */

import type { KubeObject } from "#cluster/api/meta.ts";
import type { FieldProblem, Schema } from "#cluster/apiserver/schema/schema.ts";

/** What a strategy may know about the cluster besides the object. */
export interface StrategyContext {
  /** The present time as RFC 3339, whole seconds. */
  now: string;
  /** Name of the authenticated user. */
  user: string;
  operation: "create" | "update";
  /** Of an update: the subresource written, for example `status`; empty for the object itself. */
  subresource: string;
}

/** What a kind does beyond its schema; every member is optional and pure. */
export interface Strategy {
  /** Defaults that a schema can't express; writes into `object`, which belongs to the caller. */
  applyDefaults?(object: KubeObject): void;
  /** Resets what the writer may not set (status on create); `old` is absent on create. */
  prepare?(object: KubeObject, old: KubeObject | undefined, context: StrategyContext): void;
  validate?(object: KubeObject): FieldProblem[];
  validateUpdate?(object: KubeObject, old: KubeObject): FieldProblem[];
  /** Warnings for the client (`Warning` header). */
  warn?(object: KubeObject): string[];
  /** Field selectors beyond metadata.name and metadata.namespace: selector → value. */
  selectableFields?(object: KubeObject): Record<string, string>;
  /** Seconds of grace on delete when the client names none; 0 removes at once (default). */
  gracePeriodSeconds?(object: KubeObject): number;
}

/** A printer column, as in a Table answer (meta/v1 TableColumnDefinition). */
export interface Column {
  name: string;
  type: "string" | "integer" | "number" | "boolean" | "date";
  format?: string;
  description?: string;
  /** 0 is always shown, 1 only with `-o wide`. */
  priority: number;
  /** The cell; `now` in milliseconds since the epoch, for ages. */
  cell(object: KubeObject, now: number): string | number | boolean | null;
}

/** JSON paths of the scale subresource, for example `.spec.replicas`. */
export interface ScalePaths {
  specReplicasPath: string;
  statusReplicasPath: string;
  labelSelectorPath?: string;
}

export interface Kind {
  /** Empty for the core group. */
  group: string;
  version: string;
  kind: string;
  listKind: string;
  plural: string;
  singular: string;
  shortNames: readonly string[];
  categories: readonly string[];
  namespaced: boolean;
  /** Schema of the whole object; definitions are resolved by `schema/definitions.ts`. */
  schema: Schema;
  strategy: Strategy;
  columns: readonly Column[];
  /** Whether `status` is a subresource: then a write of one leaves the other as it was. */
  statusSubresource: boolean;
  scale?: ScalePaths;
  /** Increments metadata.generation when anything but metadata and status changes. */
  tracksGeneration: boolean;
  verbs: readonly string[];
  /** Custom resources: the version that is stored; equal to `version` for built-in kinds. */
  storageVersion: string;
  custom: boolean;
}
