/** delete and deletecollection: preconditions, grace, finalizers, propagation. */

import type { KubeObject, ObjectMeta } from "#cluster/api/meta.ts";
import { statusError } from "#cluster/api/status-error.ts";
import type { Kind } from "#cluster/apiserver/kinds/kind.ts";
import { isObject } from "#cluster/apiserver/schema/json.ts";
import type { StoredValue } from "#cluster/storage/store.ts";
import { timestamp, type AdmissionRequest, type RegistryContext } from "./context.ts";
import { conflict, notFound } from "./errors.ts";
import { objectKey } from "./keys.ts";
import { FOREGROUND, ORPHAN } from "./metadata.ts";
import { encodeObject, freshObject, objectOf } from "./object-codec.ts";
import { isReadyToGo, type WriteRequest } from "./write.ts";

const MAX_ATTEMPTS = 32;

/** meta/v1 DeleteOptions, as far as they mean something here. */
export interface DeleteOptions {
  gracePeriodSeconds?: number;
  uid?: string;
  resourceVersion?: string;
  propagation?: "Background" | "Foreground" | "Orphan";
  dryRun: boolean;
}

/** Reads DeleteOptions from a body (or none) and the query, which wins. */
export function parseDeleteOptions(body: unknown, query: URLSearchParams): DeleteOptions {
  const options = isObject(body) ? body : {};
  const { preconditions, gracePeriodSeconds, propagationPolicy, orphanDependents } = options;
  const conditions = isObject(preconditions) ? preconditions : {};
  const grace = query.get("gracePeriodSeconds") ?? gracePeriodSeconds ?? undefined;
  if (grace !== undefined && !Number.isSafeInteger(Number(grace))) {
    throw statusError("BadRequest", `gracePeriodSeconds: must be a whole number`);
  }
  const orphan = query.get("orphanDependents") ?? String(orphanDependents === true);
  const policy =
    query.get("propagationPolicy") ?? propagationPolicy ?? (orphan === "true" ? "Orphan" : "");
  const dryRun = Array.isArray(options.dryRun) && options.dryRun.includes("All");
  return {
    gracePeriodSeconds: grace === undefined ? undefined : Math.max(0, Number(grace)),
    uid: typeof conditions.uid === "string" ? conditions.uid : undefined,
    resourceVersion:
      typeof conditions.resourceVersion === "string" ? conditions.resourceVersion : undefined,
    propagation: propagationOf(policy),
    dryRun: dryRun || query.get("dryRun") === "All",
  };
}

function propagationOf(policy: unknown): DeleteOptions["propagation"] {
  if (policy === "Background" || policy === "Foreground" || policy === "Orphan") return policy;
  if (policy === "") return undefined;
  throw statusError(
    "BadRequest",
    `propagationPolicy: Unsupported value: ${JSON.stringify(policy)}: supported values: "Foreground", "Background", "Orphan"`,
  );
}

/** `gone` is what was deleted; `marked` still exists until its finalizers or its grace are over. */
export type Deleted =
  { kind: "gone"; object: Readonly<KubeObject> } | { kind: "marked"; stored: StoredValue };

export async function deleteObject(
  context: RegistryContext,
  request: WriteRequest,
  options: DeleteOptions,
): Promise<Deleted> {
  const { kind, namespace, name } = request;
  const key = objectKey(kind, namespace, name);
  for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
    const stored = context.store.get(key);
    if (stored === undefined) throw notFound(kind, name);
    const old = objectOf(kind, stored);
    checkPreconditions(kind, old, options);
    await admitDeletion(context, request, old);
    const object = freshObject(kind, stored);
    setPropagationFinalizers(object.metadata, options.propagation);
    const changed = mark(kind, object, options, context.now());
    if (options.dryRun || request.dryRun) return { kind: "marked", stored };
    if (isReadyToGo(object)) {
      const result = await context.store.deleteIf(key, stored.revision);
      if (result.ok) return { kind: "gone", object: old };
    } else if (changed) {
      const value = encodeObject(kind, object);
      const result = await context.store.updateIf(key, stored.revision, value);
      if (result.ok) return { kind: "marked", stored: result.stored };
    } else {
      return { kind: "marked", stored };
    }
  }
  throw conflict(kind, name);
}

async function admitDeletion(
  context: RegistryContext,
  request: WriteRequest,
  old: Readonly<KubeObject>,
): Promise<void> {
  const { kind, namespace, name, user, dryRun, warnings, signal } = request;
  const common = { kind, namespace, name, subresource: "", user, dryRun, warnings, signal };
  const object = old as KubeObject;
  const admission: AdmissionRequest = { ...common, operation: "DELETE", object, old };
  for (const plugin of context.admission) await plugin.admit?.(admission, context);
  for (const plugin of context.admission) await plugin.validate?.(admission, context);
}

function checkPreconditions(kind: Kind, old: Readonly<KubeObject>, options: DeleteOptions): void {
  const { name, uid, resourceVersion } = old.metadata;
  if (options.uid !== undefined && options.uid !== uid) {
    const why = `Precondition failed: UID in precondition: ${options.uid}, UID in object meta: ${uid}`;
    throw conflict(kind, name, why);
  }
  if (options.resourceVersion !== undefined && options.resourceVersion !== resourceVersion) {
    const why = `Precondition failed: ResourceVersion in precondition: ${options.resourceVersion}, ResourceVersion in object meta: ${resourceVersion}`;
    throw conflict(kind, name, why);
  }
}

/** The garbage collector acts on these finalizers and then takes them away. */
function setPropagationFinalizers(
  metadata: ObjectMeta,
  propagation: DeleteOptions["propagation"],
): void {
  if (propagation === undefined) return;
  const others = (metadata.finalizers ?? []).filter(
    (finalizer) => finalizer !== FOREGROUND && finalizer !== ORPHAN,
  );
  if (propagation === "Foreground") others.push(FOREGROUND);
  if (propagation === "Orphan") others.push(ORPHAN);
  if (others.length > 0) metadata.finalizers = others;
  else delete metadata.finalizers;
}

/** Marks for deletion; a second deletion may only shorten the grace. Tells whether it changed. */
function mark(kind: Kind, object: KubeObject, options: DeleteOptions, now: number): boolean {
  const { metadata } = object;
  const byKind = kind.strategy.gracePeriodSeconds?.(object) ?? 0;
  const grace = byKind === 0 ? 0 : (options.gracePeriodSeconds ?? byKind);
  const marked = metadata.deletionTimestamp !== undefined;
  if (marked && options.gracePeriodSeconds === undefined && byKind > 0) return false;
  if (marked && grace >= (metadata.deletionGracePeriodSeconds ?? 0)) return false;
  metadata.deletionTimestamp = timestamp(now + grace * 1000);
  metadata.deletionGracePeriodSeconds = grace;
  if (metadata.generation !== undefined) metadata.generation += 1;
  if (kind.group === "" && kind.plural === "namespaces") {
    const status = isObject(object.status) ? object.status : {};
    object.status = { ...status, phase: "Terminating" };
  }
  return true;
}
