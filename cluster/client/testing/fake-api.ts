/**
 * An API server in memory behind the real KubeClient interface. It does what components rely on:
 * revisions and conflicts, generateName, generation, status apart from spec, finalizers and
 * propagation policies, graceful pod deletion, binding, selectors, pages, watches with resumption.
 * It doesn't validate or default, and nothing collects garbage: that is the controllers' work.
 */

import { randomUUID } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import type { DeleteOptions, KubeClient, ListOptions, ObjectRef } from "#cluster/client/client.ts";
import type { PatchType, RawResponse, WatchOptions, WriteOptions } from "#cluster/client/client.ts";
import type { AnyObject, Creatable, KubeObject, ObjectList } from "#cluster/api/meta.ts";
import type { PartialMeta, WatchEvent } from "#cluster/api/meta.ts";
import * as resources from "#cluster/api/resources.ts";
import { apiVersionOf } from "#cluster/api/resources.ts";
import type { Resource } from "#cluster/api/resources.ts";
import { statusError } from "#cluster/api/status-error.ts";
import { rfc3339, systemClock } from "#cluster/client/clock.ts";
import type { Clock } from "#cluster/client/clock.ts";
import { applyPatch } from "./fake-patch.ts";
import { FakeWatches, selects } from "./fake-watches.ts";

/** A call as `onRequest` sees it. */
export interface FakeRequest {
  verb: "get" | "list" | "watch" | "create" | "update" | "patch" | "delete";
  resource: Resource<AnyObject>;
  namespace?: string;
  name?: string;
  subresource?: string;
  body?: unknown;
}

export interface FakeApiOptions {
  clock?: Clock;
  /** Sees every call first; what it throws is what the caller gets. May wait. */
  onRequest?: (request: FakeRequest) => void | Promise<void>;
}

const BUILT_IN: readonly Resource<AnyObject>[] = Object.values(resources).filter(
  (value): value is Resource<AnyObject> => typeof value === "object",
);

/** Create one a test; `objects` put at the start need only what the test cares about. */
export class FakeApi implements KubeClient {
  /** Every call so far, in order. */
  readonly requests: FakeRequest[] = [];
  onRequest: FakeApiOptions["onRequest"];
  readonly #clock: Clock;
  readonly #objects = new Map<string, KubeObject>();
  readonly #watches = new FakeWatches();
  readonly #resources: Resource<AnyObject>[] = [...BUILT_IN];
  #revision = 1;

  constructor(options: FakeApiOptions = {}) {
    this.#clock = options.clock ?? systemClock;
    this.onRequest = options.onRequest;
  }

  /** Makes discovery list a custom resource. */
  serve(resource: Resource<AnyObject>): void {
    this.#resources.push(resource);
  }

  /** Ends all watches as a broken connection would; informers resume. */
  breakWatches(): void {
    this.#watches.breakAll();
  }

  /** Forgets the past: resuming from before now is answered with 410 Expired. */
  compact(): void {
    this.#watches.compact(this.#revision);
  }

  /** All objects of a resource now, without a recorded call. */
  peek<T extends AnyObject>(resource: Resource<T>, namespace?: string): T[] {
    const prefix = `${collection(resource)}|${namespace === undefined ? "" : `${namespace}|`}`;
    return [...this.#objects]
      .filter(([key]) => key.startsWith(prefix))
      .map(([, object]) => structuredClone(object) as AnyObject as T)
      .toSorted((a, b) => (objectOrder(a) < objectOrder(b) ? -1 : 1));
  }

  async get<T extends AnyObject>(resource: Resource<T>, ref: ObjectRef): Promise<T> {
    await this.#see({ verb: "get", resource, ...ref });
    return structuredClone(this.#find(resource, ref)) as AnyObject as T;
  }

  async list<T extends AnyObject>(
    resource: Resource<T>,
    options: ListOptions = {},
  ): Promise<ObjectList<T>> {
    await this.#see({ verb: "list", resource, namespace: options.namespace });
    const all = this.peek(resource, options.namespace).filter((object) => selects(options, object));
    const start = Number(options.continue ?? 0);
    const end = options.limit === undefined ? all.length : start + options.limit;
    return {
      apiVersion: apiVersionOf(resource),
      kind: `${resource.kind}List`,
      metadata: {
        resourceVersion: String(this.#revision),
        ...(end < all.length ? { continue: String(end) } : {}),
      },
      items: all.slice(start, end),
    };
  }

  async *watch<T extends AnyObject>(
    resource: Resource<T>,
    options: WatchOptions,
  ): AsyncGenerator<WatchEvent<T>, void, undefined> {
    await this.#see({ verb: "watch", resource, namespace: options.namespace });
    for await (const event of this.#watches.open(collection(resource), options)) {
      yield event as WatchEvent<AnyObject> as WatchEvent<T>;
    }
  }

  async create<T extends AnyObject>(
    resource: Resource<T>,
    object: Creatable<T>,
    options: WriteOptions = {},
  ): Promise<T> {
    const { namespace, name } = object.metadata;
    await this.#see({ verb: "create", resource, namespace, name, body: object });
    const created = this.#admit(resource, object);
    const key = keyOf(resource, created.metadata);
    if (this.#objects.has(key)) {
      throw statusError("AlreadyExists", `${resource.plural} "${created.metadata.name}" exists`);
    }
    if (options.dryRun !== true) this.#store(resource, created, "ADDED");
    return structuredClone(created) as AnyObject as T;
  }

  async update<T extends AnyObject>(
    resource: Resource<T>,
    object: T,
    options: WriteOptions = {},
  ): Promise<T> {
    const { namespace, name } = object.metadata;
    const { subresource } = options;
    await this.#see({ verb: "update", resource, namespace, name, subresource, body: object });
    return this.#replace(resource, structuredClone(object), subresource) as AnyObject as T;
  }

  updateStatus<T extends AnyObject>(resource: Resource<T>, object: T): Promise<T> {
    return this.update(resource, object, { subresource: "status" });
  }

  async patch<T extends AnyObject>(
    resource: Resource<T>,
    ref: ObjectRef,
    patch: { type: PatchType; body: unknown; subresource?: string },
  ): Promise<T> {
    const { subresource, body } = patch;
    await this.#see({ verb: "patch", resource, ...ref, subresource, body });
    const patched = applyPatch(this.#find(resource, ref), patch) as KubeObject;
    return this.#replace(resource, patched, subresource) as AnyObject as T;
  }

  async delete(
    resource: Resource<AnyObject>,
    ref: ObjectRef,
    options: DeleteOptions = {},
  ): Promise<void> {
    await this.#see({ verb: "delete", resource, ...ref, body: options });
    const object = structuredClone(this.#find(resource, ref));
    const { uid, resourceVersion } = options.preconditions ?? {};
    if (
      (uid !== undefined && uid !== object.metadata.uid) ||
      (resourceVersion !== undefined && resourceVersion !== object.metadata.resourceVersion)
    ) {
      throw statusError("Conflict", `${resource.plural} "${ref.name}": precondition failed`);
    }
    const graceSeconds = this.#markDeleted(resource, object, options);
    if (graceSeconds > 0 || isHeld(object)) this.#store(resource, object, "MODIFIED");
    else this.#remove(resource, object);
  }

  async createSubresource<R>(
    resource: Resource<AnyObject>,
    at: { ref: ObjectRef; subresource: string },
    body: unknown,
  ): Promise<R> {
    const { ref, subresource } = at;
    await this.#see({ verb: "create", resource, ...ref, subresource, body });
    if (subresource === "binding") this.#bind(resource, ref, body as { target: { name: string } });
    else if (subresource === "eviction") await this.delete(resource, ref);
    else if (subresource === "token") return { status: { token: `token-of-${ref.name}` } } as R;
    else throw statusError("NotFound", `the fake has no ${resource.plural}/${subresource}`);
    return { kind: "Status", apiVersion: "v1", metadata: {}, status: "Success" } as R;
  }

  /** Serves `/readyz` and the discovery documents. */
  async raw(path: string): Promise<RawResponse> {
    const answer = (body: unknown): RawResponse => ({ code: 200, body: JSON.stringify(body) });
    if (path === "/readyz") return { code: 200, body: "ok" };
    if (path === "/api") return answer({ kind: "APIVersions", versions: ["v1"] });
    if (path === "/apis") return answer({ kind: "APIGroupList", groups: this.#groups() });
    const groupVersion = /^\/(?:api|apis)\/(?<gv>.+)$/.exec(path)?.groups?.gv;
    const served = this.#resources.filter((resource) => apiVersionOf(resource) === groupVersion);
    if (served.length === 0) return { code: 404, body: "404 page not found" };
    const verbs = ["create", "delete", "get", "list", "patch", "update", "watch"];
    return answer({
      kind: "APIResourceList",
      groupVersion,
      resources: served.map(({ plural, kind, namespaced }) => ({
        name: plural,
        kind,
        namespaced,
        verbs,
      })),
    });
  }

  close(): void {
    this.breakWatches();
  }

  async #see(request: FakeRequest): Promise<void> {
    this.requests.push(request);
    await this.onRequest?.(request);
  }

  #find(resource: Resource<AnyObject>, ref: ObjectRef): KubeObject {
    const object = this.#objects.get(keyOf(resource, ref));
    if (object !== undefined) return object;
    throw statusError("NotFound", `${resource.plural} "${ref.name}" not found`);
  }

  #admit(resource: Resource<AnyObject>, object: { metadata: PartialMeta }): KubeObject {
    const created = structuredClone(object) as KubeObject;
    const { metadata } = created;
    metadata.name ??= `${metadata.generateName ?? ""}${randomUUID().slice(0, 5)}`;
    if (resource.namespaced) metadata.namespace ??= "default";
    metadata.uid ??= randomUUID();
    metadata.creationTimestamp ??= rfc3339(this.#clock.nowMs());
    metadata.generation ??= 1;
    created.apiVersion = apiVersionOf(resource);
    created.kind = resource.kind;
    if (isSame(resource, resources.NAMESPACES)) {
      created.spec ??= { finalizers: ["kubernetes"] };
      created.status ??= { phase: "Active" };
    }
    if (isSame(resource, resources.PODS)) created.status ??= { phase: "Pending" };
    return created;
  }

  #replace(
    resource: Resource<AnyObject>,
    object: AnyObject,
    subresource: string | undefined,
  ): KubeObject {
    const old = this.#find(resource, object.metadata);
    const { resourceVersion } = object.metadata;
    if (resourceVersion !== undefined && resourceVersion !== old.metadata.resourceVersion) {
      throw statusError("Conflict", `${resource.plural} "${old.metadata.name}" has been modified`);
    }
    const wanted = { ...object } as KubeObject;
    const next =
      subresource === "status"
        ? { ...structuredClone(old), status: wanted.status }
        : subresource === "finalize"
          ? { ...structuredClone(old), spec: wanted.spec }
          : { ...wanted, status: old.status };
    if (subresource === undefined) carryOver(next, old);
    if (next.metadata.deletionTimestamp !== undefined && !isHeld(next) && !isTerminatingPod(next)) {
      this.#remove(resource, next);
    } else if (!isDeepStrictEqual(plain(next), plain(old))) {
      this.#store(resource, next, "MODIFIED");
    }
    return structuredClone(next);
  }

  /** Writes deletion marks into the object and answers with the seconds of grace. */
  #markDeleted(resource: Resource<AnyObject>, object: KubeObject, options: DeleteOptions): number {
    const { metadata } = object;
    const isBound =
      isSame(resource, resources.PODS) &&
      (object.spec as { nodeName?: string })?.nodeName !== undefined;
    const graceSeconds = isBound ? (options.gracePeriodSeconds ?? 30) : 0;
    if (metadata.deletionTimestamp === undefined) {
      metadata.deletionTimestamp = rfc3339(this.#clock.nowMs() + graceSeconds * 1_000);
      metadata.generation = (metadata.generation ?? 0) + 1;
    }
    metadata.deletionGracePeriodSeconds = graceSeconds;
    const policy = { Foreground: "foregroundDeletion", Orphan: "orphan", Background: undefined };
    const finalizer = policy[options.propagationPolicy ?? "Background"];
    if (finalizer !== undefined && metadata.finalizers?.includes(finalizer) !== true) {
      metadata.finalizers = [...(metadata.finalizers ?? []), finalizer];
    }
    if (isSame(resource, resources.NAMESPACES)) {
      object.status = { ...(object.status as object), phase: "Terminating" };
    }
    return graceSeconds;
  }

  #bind(resource: Resource<AnyObject>, ref: ObjectRef, body: { target: { name: string } }): void {
    const pod = structuredClone(this.#find(resource, ref));
    const spec = pod.spec as { nodeName?: string };
    if (spec.nodeName !== undefined && spec.nodeName !== "") {
      throw statusError("Conflict", `pod ${ref.name} is already assigned to ${spec.nodeName}`);
    }
    spec.nodeName = body.target.name;
    const status = (pod.status ?? {}) as { conditions?: { type: string; status: string }[] };
    const others = (status.conditions ?? []).filter(({ type }) => type !== "PodScheduled");
    pod.status = {
      ...status,
      conditions: [...others, { type: "PodScheduled", status: "True" }],
    };
    this.#store(resource, pod, "MODIFIED");
  }

  #store(resource: Resource<AnyObject>, object: KubeObject, type: "ADDED" | "MODIFIED"): void {
    this.#revision += 1;
    object.metadata.resourceVersion = String(this.#revision);
    const key = keyOf(resource, object.metadata);
    const old = this.#objects.get(key);
    this.#objects.set(key, structuredClone(object));
    this.#watches.publish({ collection: collection(resource), type, object, old });
  }

  #remove(resource: Resource<AnyObject>, object: KubeObject): void {
    this.#revision += 1;
    const last = structuredClone(object);
    last.metadata.resourceVersion = String(this.#revision);
    this.#objects.delete(keyOf(resource, object.metadata));
    const event = { collection: collection(resource), object: last, old: object };
    this.#watches.publish({ ...event, type: "DELETED" });
  }

  #groups(): unknown[] {
    const groups = new Map<string, Set<string>>();
    for (const { group, version } of this.#resources) {
      if (group === "") continue;
      groups.set(group, (groups.get(group) ?? new Set()).add(version));
    }
    return [...groups].map(([name, versions]) => {
      const list = [...versions].map((version) => ({
        groupVersion: `${name}/${version}`,
        version,
      }));
      return { name, versions: list, preferredVersion: list[0] };
    });
  }
}

/** What a writer can't change, and the generation, which follows the spec. */
function carryOver(next: KubeObject, old: KubeObject): void {
  const { uid, creationTimestamp, deletionTimestamp, generation = 1 } = old.metadata;
  const isChanged = !isDeepStrictEqual(plain(next.spec), plain(old.spec));
  next.metadata = {
    ...next.metadata,
    uid,
    creationTimestamp,
    generation: isChanged ? generation + 1 : generation,
    ...(deletionTimestamp === undefined ? {} : { deletionTimestamp }),
  };
}

/** As it would travel: without members that are undefined. */
function plain(value: unknown): unknown {
  return value === undefined ? undefined : JSON.parse(JSON.stringify(value));
}

function isHeld(object: KubeObject): boolean {
  const spec = object.spec as { finalizers?: string[] } | undefined;
  const isNamespace = object.kind === "Namespace" && (spec?.finalizers?.length ?? 0) > 0;
  return isNamespace || (object.metadata.finalizers?.length ?? 0) > 0;
}

/** A pod in its grace period stays until its kubelet deletes it with grace 0. */
function isTerminatingPod(object: KubeObject): boolean {
  return object.kind === "Pod" && (object.metadata.deletionGracePeriodSeconds ?? 0) > 0;
}

function collection(resource: Resource<AnyObject>): string {
  return `${resource.group}/${resource.plural}`;
}

/** Discovered resources are other objects than the tokens. */
function isSame(a: Resource<AnyObject>, b: Resource<AnyObject>): boolean {
  return collection(a) === collection(b);
}

function keyOf(resource: Resource<AnyObject>, ref: { namespace?: string; name: string }): string {
  const namespace = resource.namespaced ? (ref.namespace ?? "default") : "";
  return `${collection(resource)}|${namespace}|${ref.name}`;
}

function objectOrder(object: AnyObject): string {
  return `${object.metadata.namespace ?? ""}/${object.metadata.name}`;
}
