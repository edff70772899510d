/** create and update: defaults, admission, validation, allocation, then one conditional write. */

import type { KubeObject, PartialMeta } from "#cluster/api/meta.ts";
import { statusError } from "#cluster/api/status-error.ts";
import { sameOwners } from "#cluster/apiserver/apply/managed-fields.ts";
import type { User } from "#cluster/apiserver/auth/user.ts";
import { ruleProblems } from "#cluster/apiserver/cel/rules.ts";
import type { Kind } from "#cluster/apiserver/kinds/kind.ts";
import { validateName, validateObjectMeta } from "#cluster/apiserver/kinds/meta.ts";
import { dns1123Subdomain } from "#cluster/apiserver/kinds/names.ts";
import { applyDefaults } from "#cluster/apiserver/schema/defaults.ts";
import { equalJson } from "#cluster/apiserver/schema/json.ts";
import type { FieldProblem } from "#cluster/apiserver/schema/schema.ts";
import { validate } from "#cluster/apiserver/schema/validate.ts";
import type { StoredValue } from "#cluster/storage/store.ts";
import { timestamp, type AdmissionRequest, type RegistryContext } from "./context.ts";
import { alreadyExists, conflict, invalid, notFound } from "./errors.ts";
import { objectKey } from "./keys.ts";
import { generateName, initializeMetadata, keepMetadata } from "./metadata.ts";
import { DRY_RUN_REVISION, encodeObject, freshObject, objectOf } from "./object-codec.ts";
import { ownersOf, setManaged, takeManaged, type Ownership } from "./ownership.ts";

/** What the server's own writes are managed by. */
export const SERVER_MANAGER = "kube-apiserver";

/** Bounds both the names tried for one generateName and the retries after a lost race. */
const MAX_ATTEMPTS = 32;

export interface WriteRequest {
  kind: Kind;
  namespace: string;
  /** Empty on create: the object's own name counts. */
  name: string;
  /** Empty for the object itself. */
  subresource: string;
  user: User;
  dryRun: boolean;
  warnings: string[];
  signal: AbortSignal;
  /** Who writes, as managedFields will name it. */
  manager: string;
}

/** Stores a new object; `object` belongs to this function from now on. */
export async function createObject(
  context: RegistryContext,
  request: WriteRequest,
  object: KubeObject,
  ownership: Ownership = "update",
): Promise<StoredValue> {
  const { kind } = request;
  const now = timestamp(context.now());
  const given = takeManaged(object);
  const prefix = object.metadata.name === "" ? undefined : object.metadata.name;
  const generated = prefix === undefined && (object.metadata.generateName ?? "") !== "";
  initializeMetadata(kind, object, now);
  setDefaults(kind, object);
  kind.strategy.prepare?.(object, undefined, {
    now,
    user: request.user.name,
    operation: "create",
    subresource: "",
  });
  const owners = ownersOf({ ...request, now }, ownership, { object, given, entries: [] });
  const admission = await admit(context, request, { operation: "CREATE", object, owners });
  const { metadata } = admission.object;
  for (let attempt = 1; ; attempt++) {
    if (generated) metadata.name = generateName(metadata.generateName ?? "");
    const name = metadata.name ?? "";
    const result = await allocateAndStore(context, request, admission, undefined);
    if (result !== undefined) return result;
    if (!generated || attempt === MAX_ATTEMPTS) throw alreadyExists(kind, name);
  }
}

/**
 * Replaces an object by what `change` makes of it. `change` gets a copy of its own and may run
 * several times: a lost race is repeated on the new state, unless the change names the
 * resourceVersion that it is made for.
 */
export async function updateObject(
  context: RegistryContext,
  request: WriteRequest,
  change: (current: KubeObject) => KubeObject,
  ownership: Ownership = "update",
): Promise<StoredValue> {
  const { kind, namespace, name } = request;
  for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
    const stored = context.store.get(objectKey(kind, namespace, name));
    if (stored === undefined) throw notFound(kind, name);
    const old = objectOf(kind, stored);
    const current = freshObject(kind, stored);
    const entries = current.metadata.managedFields ?? [];
    const object = change(current);
    const given = takeManaged(object);
    const now = timestamp(context.now());
    checkIdentity(kind, object, old);
    keepMetadata(object, old);
    const scoped = scopeTo(request, object, old);
    setDefaults(kind, scoped);
    kind.strategy.prepare?.(scoped, old, {
      now,
      user: request.user.name,
      operation: "update",
      subresource: request.subresource,
    });
    const owners = ownersOf({ ...request, now }, ownership, {
      old,
      object: scoped,
      given,
      entries,
    });
    const what = { operation: "UPDATE", object: scoped, old, owners } as const;
    const admission = await admit(context, request, what);
    const admitted = admission.object;
    admitted.metadata.resourceVersion = old.metadata.resourceVersion ?? "";
    if (sameOwners(owners, entries) && equalJson(admitted, old)) return stored;
    advanceGeneration(kind, admitted, old);
    const result = await allocateAndStore(context, request, admission, stored);
    if (result !== undefined) return result;
  }
  throw conflict(kind, name);
}

/** `undefined` when the condition didn't hold: the name is taken, or the object has moved on. */
async function allocateAndStore(
  context: RegistryContext,
  request: WriteRequest,
  admission: AdmissionRequest,
  stored: StoredValue | undefined,
): Promise<StoredValue | undefined> {
  const { kind } = request;
  const { object } = admission;
  const old = stored === undefined ? undefined : objectOf(kind, stored);
  const { name, namespace = "" } = object.metadata;
  // Said before anything else that may be wrong with it.
  const taken = old === undefined && context.store.get(objectKey(kind, namespace, name));
  if (taken) return undefined;
  const releases: (() => void)[] = [];
  try {
    // The main resource only: a status write can't change what is allocated.
    if (request.subresource === "") {
      for (const allocator of context.allocators) {
        if (allocator.kind.plural !== kind.plural || allocator.kind.group !== kind.group) continue;
        releases.push(allocator.allocate(object, old));
      }
    }
    check(request, object, old);
    for (const plugin of context.admission) await plugin.validate?.(admission, context);
    setManaged(object, admission.owners ?? []);
    return await store(context, request, object, stored);
  } finally {
    // By now the store's watchers know what was written; reservations are no longer needed.
    for (const release of releases) release();
  }
}

async function store(
  context: RegistryContext,
  request: WriteRequest,
  object: KubeObject,
  stored: StoredValue | undefined,
): Promise<StoredValue | undefined> {
  const { kind, dryRun } = request;
  const { metadata } = object;
  const key = objectKey(kind, metadata.namespace ?? "", metadata.name);
  const value = encodeObject(kind, object);
  if (dryRun) return { key, value, revision: stored?.revision ?? DRY_RUN_REVISION };
  if (stored !== undefined && isReadyToGo(object)) {
    const result = await context.store.deleteIf(key, stored.revision);
    return result.ok ? { key, value, revision: result.revision } : undefined;
  }
  const result =
    stored === undefined
      ? await context.store.create(key, value)
      : await context.store.updateIf(key, stored.revision, value);
  return result.ok ? result.stored : undefined;
}

/** An object marked for deletion goes as soon as nothing holds it: finalizers and grace. */
export function isReadyToGo(object: Readonly<KubeObject>): boolean {
  const { metadata, kind, spec } = object;
  if (metadata.deletionTimestamp === undefined) return false;
  if ((metadata.finalizers ?? []).length > 0) return false;
  if ((metadata.deletionGracePeriodSeconds ?? 0) > 0) return false;
  return kind !== "Namespace" || namespaceFinalizers(spec).length === 0;
}

/** A Namespace has finalizers in its spec too; `/finalize` removes them. */
export function namespaceFinalizers(spec: unknown): readonly unknown[] {
  const finalizers = (spec as { finalizers?: unknown } | undefined)?.finalizers;
  return Array.isArray(finalizers) ? finalizers : [];
}

function setDefaults(kind: Kind, object: KubeObject): void {
  applyDefaults(kind.schema, object);
  kind.strategy.applyDefaults?.(object);
}

async function admit(
  context: RegistryContext,
  request: WriteRequest,
  what: Pick<AdmissionRequest, "operation" | "object" | "old" | "owners">,
): Promise<AdmissionRequest> {
  const { kind, namespace, subresource, user, dryRun, warnings, signal } = request;
  const name = what.object.metadata.name ?? "";
  const common = { kind, namespace, name, subresource, user, dryRun, warnings, signal };
  const admission: AdmissionRequest = { ...common, ...what };
  for (const plugin of context.admission) await plugin.admit?.(admission, context);
  // Who manages what has been decided; a webhook doesn't change it.
  takeManaged(admission.object);
  return admission;
}

function checkIdentity(kind: Kind, object: KubeObject, old: Readonly<KubeObject>): void {
  // As the client wrote it: any of these may be missing.
  const given: PartialMeta = object.metadata;
  const { name = "", uid = "", resourceVersion = "" } = given;
  const { metadata } = old;
  if (name !== metadata.name) {
    throw statusError(
      "BadRequest",
      `the name of the object (${name}) does not match the name on the URL (${metadata.name})`,
    );
  }
  if (uid !== "" && uid !== metadata.uid) {
    const why = `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${metadata.uid}`;
    throw conflict(kind, name, why);
  }
  if (resourceVersion !== "" && resourceVersion !== "0") {
    if (resourceVersion !== metadata.resourceVersion) throw conflict(kind, name);
  } else if (kind.custom) {
    const message = "Invalid value: 0x0: must be specified for an update";
    const field = "metadata.resourceVersion";
    throw invalid(kind, name, [{ field, reason: "FieldValueInvalid", message }]);
  }
}

/** A write of the status leaves the rest as it was, and a write of the rest the status. */
function scopeTo(request: WriteRequest, object: KubeObject, old: Readonly<KubeObject>): KubeObject {
  const { kind, subresource } = request;
  if (!kind.statusSubresource) return object;
  if (subresource === "status") {
    // Kubelets annotate and label by status writes; custom resources allow the status alone.
    const metadata = kind.custom ? { ...old.metadata } : object.metadata;
    return { ...structuredClone(old), metadata, status: object.status };
  }
  if (subresource !== "") return object;
  const { status: _, ...rest } = object;
  return old.status === undefined ? rest : { ...rest, status: structuredClone(old.status) };
}

function advanceGeneration(kind: Kind, object: KubeObject, old: Readonly<KubeObject>): void {
  if (!kind.tracksGeneration) return;
  const { metadata: _, status: __, ...now } = object;
  const { metadata: ___, status: ____, ...before } = old;
  const generation = old.metadata.generation ?? 1;
  object.metadata.generation = equalJson(now, before) ? generation : generation + 1;
}

/** Throws Invalid with every problem, and collects the kind's warnings. */
function check(
  request: WriteRequest,
  object: KubeObject,
  old: Readonly<KubeObject> | undefined,
): void {
  const { kind, warnings } = request;
  const name = object.metadata.name ?? "";
  if (name === "") {
    const message = "Required value: name or generateName is required";
    throw invalid(kind, "", [{ field: "metadata.name", reason: "FieldValueRequired", message }]);
  }
  const problems: FieldProblem[] = validate(kind.schema, object);
  if (problems.length > 0) {
    problems.unshift(...validateName(object.metadata, dns1123Subdomain));
  } else {
    // These rely on the types that the schema has checked.
    problems.push(...ruleProblems(kind.schema, object, old));
    problems.push(...validateObjectMeta(object.metadata, dns1123Subdomain));
    problems.push(...(kind.strategy.validate?.(object) ?? []));
    if (old !== undefined) {
      problems.push(...finalizerProblems(object, old));
      problems.push(...(kind.strategy.validateUpdate?.(object, old) ?? []));
    }
  }
  if (problems.length > 0) throw invalid(kind, name, problems);
  warnings.push(...(kind.strategy.warn?.(object) ?? []));
}

function finalizerProblems(object: KubeObject, old: Readonly<KubeObject>): FieldProblem[] {
  if (old.metadata.deletionTimestamp === undefined) return [];
  const before = new Set(old.metadata.finalizers);
  const added = (object.metadata.finalizers ?? []).filter((finalizer) => !before.has(finalizer));
  if (added.length === 0) return [];
  const message = `Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers ${JSON.stringify(added)}`;
  return [{ field: "metadata.finalizers", reason: "FieldValueForbidden", message }];
}
