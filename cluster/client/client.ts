/** The typed face of any Kubernetes API server; `createClient` in `http-client.ts` implements it. */

import type { AnyObject, Creatable, ObjectList, WatchEvent } from "#cluster/api/meta.ts";
import type { Resource } from "#cluster/api/resources.ts";

/** Where an object lives; `namespace` is left out for cluster-scoped resources. */
export interface ObjectRef {
  namespace?: string;
  name: string;
}

export interface ListOptions {
  /** All namespaces when absent. */
  namespace?: string;
  labelSelector?: string;
  fieldSelector?: string;
  resourceVersion?: string;
  limit?: number;
  continue?: string;
  signal?: AbortSignal;
}

export interface WatchOptions {
  namespace?: string;
  labelSelector?: string;
  fieldSelector?: string;
  /** Events after this revision. */
  resourceVersion: string;
  signal: AbortSignal;
}

export interface WriteOptions {
  fieldManager?: string;
  dryRun?: boolean;
  /** `update` writes this subresource instead (`status`, or `finalize` of a Namespace). */
  subresource?: string;
  signal?: AbortSignal;
}

export interface DeleteOptions {
  gracePeriodSeconds?: number;
  propagationPolicy?: "Background" | "Foreground" | "Orphan";
  /** Fails with Conflict when the object has another one. */
  preconditions?: { uid?: string; resourceVersion?: string };
  signal?: AbortSignal;
}

/** How a patch body is read; each is a media type `application/<type>-patch+json`. */
export type PatchType = "merge" | "strategic-merge" | "json";

/** A raw answer, for paths that are no resource (`/readyz`, `/openapi/v3`). */
export interface RawResponse {
  code: number;
  body: string;
}

/**
 * Every call rejects with a StatusError when the server answers with a failure Status and with an
 * ordinary Error (with `cause`) when the server can't be reached.
 */
export interface KubeClient {
  get<T extends AnyObject>(resource: Resource<T>, ref: ObjectRef): Promise<T>;
  list<T extends AnyObject>(resource: Resource<T>, options?: ListOptions): Promise<ObjectList<T>>;
  /** Ends when the server ends the watch or the signal aborts; the caller resumes or relists. */
  watch<T extends AnyObject>(
    resource: Resource<T>,
    options: WatchOptions,
  ): AsyncIterable<WatchEvent<T>>;
  create<T extends AnyObject>(
    resource: Resource<T>,
    object: Creatable<T>,
    options?: WriteOptions,
  ): Promise<T>;
  /** Replaces; Conflict when `metadata.resourceVersion` is set and stale. */
  update<T extends AnyObject>(resource: Resource<T>, object: T, options?: WriteOptions): Promise<T>;
  updateStatus<T extends AnyObject>(
    resource: Resource<T>,
    object: T,
    options?: WriteOptions,
  ): Promise<T>;
  patch<T extends AnyObject>(
    resource: Resource<T>,
    ref: ObjectRef,
    patch: { type: PatchType; body: unknown; subresource?: string },
    options?: WriteOptions,
  ): Promise<T>;
  delete(resource: Resource<AnyObject>, ref: ObjectRef, options?: DeleteOptions): Promise<void>;
  /** POST to a subresource (`binding`, `token`, `eviction`); answers with the parsed body. */
  createSubresource<R>(
    resource: Resource<AnyObject>,
    at: { ref: ObjectRef; subresource: string },
    body: unknown,
  ): Promise<R>;
  raw(path: string, signal?: AbortSignal): Promise<RawResponse>;
  /** Closes idle connections and ends watches. */
  close(): void;
}
