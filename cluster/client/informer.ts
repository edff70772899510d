/** List+watch kept as a local, indexed copy (client-go's SharedInformer). */

import type { AnyObject } from "#cluster/api/meta.ts";
import type { Resource } from "#cluster/api/resources.ts";
import type { KubeClient } from "./client.ts";

export type Change<T> =
  | { kind: "added"; object: T }
  | { kind: "updated"; object: T; old: T }
  | { kind: "deleted"; object: T };

/** Reads of the local copy; objects are shared and must not be written to. */
export interface Lister<T extends AnyObject> {
  get(namespace: string | undefined, name: string): T | undefined;
  /** All of a namespace, or everything; in no particular order. */
  list(namespace?: string): readonly T[];
  /** Objects for which the index function returned this value. */
  byIndex(index: string, value: string): readonly T[];
}

export interface InformerOptions<T extends AnyObject> {
  namespace?: string;
  labelSelector?: string;
  fieldSelector?: string;
  /** Index name → the values an object is found under. */
  indexes?: Record<string, (object: T) => readonly string[]>;
  /** Keeps less of each object than the server sends; applied before handlers and indexes. */
  transform?: (object: T) => T;
}

export interface Informer<T extends AnyObject> {
  readonly resource: Resource<T>;
  readonly lister: Lister<T>;
  /** Resolves after the first complete list has been delivered to the handlers. */
  readonly synced: Promise<void>;
  /** Handlers run in order of registration; register before `run`. */
  onChange(handler: (change: Change<T>) => void): void;
  /** Lists and watches until the signal aborts; relists after 410 and reconnects with backoff. */
  run(signal: AbortSignal): Promise<void>;
}

export type CreateInformer = <T extends AnyObject>(
  client: KubeClient,
  resource: Resource<T>,
  options?: InformerOptions<T>,
) => Informer<T>;
