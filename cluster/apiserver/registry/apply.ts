/** Server-side apply: a configuration laid over an object, or made into one. */

import type { KubeObject } from "#cluster/api/meta.ts";
import { apiVersionOf } from "#cluster/api/resources.ts";
import { hasReason, statusError } from "#cluster/api/status-error.ts";
import { listProblems } from "#cluster/apiserver/apply/check-config.ts";
import { mergeTypeOf } from "#cluster/apiserver/apply/merge-type.ts";
import { applyConfiguration } from "#cluster/apiserver/apply/track.ts";
import type { Kind } from "#cluster/apiserver/kinds/kind.ts";
import { cloneJson, isObject, type JsonObject } from "#cluster/apiserver/schema/json.ts";
import { findUnknown } from "#cluster/apiserver/schema/prune.ts";
import type { StoredValue } from "#cluster/storage/store.ts";
import { timestamp, type RegistryContext } from "./context.ts";
import { conflict, notFound } from "./errors.ts";
import { parseObject } from "./input.ts";
import { objectKey } from "./keys.ts";
import { settleNamespace } from "./metadata.ts";
import { takeManaged } from "./ownership.ts";
import { createObject, updateObject, type WriteRequest } from "./write.ts";

/** An object may come and go while it is applied. */
const MAX_ATTEMPTS = 5;

export interface ApplyRequest {
  /** From `parseConfiguration`. */
  config: KubeObject;
  force: boolean;
  /** Throws where the user may not create what isn't there yet. */
  mayCreate: () => void;
}

/**
 * A body → a configuration of this kind. Throws BadRequest for what can't be applied: fields that
 * the kind doesn't have are refused, since nobody could own them.
 */
export function parseConfiguration(kind: Kind, body: unknown, namespace: string): KubeObject {
  if (!isObject(body)) throw statusError("BadRequest", `the body must be a ${kind.kind} object`);
  for (const field of ["apiVersion", "kind"]) {
    if (typeof body[field] === "string" && body[field] !== "") continue;
    throw statusError("BadRequest", `an applied object must say its ${field}`);
  }
  if (isObject(body.metadata) && (body.metadata.managedFields ?? undefined) !== undefined) {
    throw statusError("BadRequest", "metadata.managedFields must be nil");
  }
  const unknown = findUnknown(kind.schema, body).map(
    (path) => `.${path}: field not declared in schema`,
  );
  const config = parseObject(kind, body, { fieldValidation: "Ignore", warnings: [] });
  settleNamespace(kind, config, namespace);
  const problems = [...unknown, ...listProblems(mergeTypeOf(kind.schema), config)];
  if (problems.length === 0) return config;
  const { name } = config.metadata;
  const what = `(${namespace}/${name}; ${apiVersionOf(kind)}, Kind=${kind.kind})`;
  const [first] = problems;
  const why = problems.length === 1 ? first : `errors:\n  ${problems.join("\n  ")}`;
  throw statusError("BadRequest", `failed to create typed patch object ${what}: ${why}`);
}

/** Throws a Conflict with a cause a field for what others manage and the configuration changes. */
export async function applyObject(
  context: RegistryContext,
  request: WriteRequest,
  { config, force, mayCreate }: ApplyRequest,
): Promise<{ stored: StoredValue; created: boolean }> {
  const { kind, namespace, name, subresource, manager } = request;
  const apply = (live: KubeObject | undefined): KubeObject => {
    const entries = live?.metadata.managedFields ?? [];
    if (live !== undefined) takeManaged(live);
    const now = timestamp(context.now());
    const writer = { kind, name: manager, subresource, now };
    // Merging keeps parts of the configuration, and may have to be done again.
    const copy = cloneJson<JsonObject>(config);
    const applied = applyConfiguration(writer, { live, config: copy, force }, entries);
    applied.object.metadata.managedFields = [...applied.entries];
    return applied.object;
  };
  for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
    try {
      if (context.store.get(objectKey(kind, namespace, name)) !== undefined) {
        return { stored: await updateObject(context, request, apply, "applied"), created: false };
      }
      if (subresource !== "") throw notFound(kind, name);
      mayCreate();
      checkNew(kind, name, config);
      return {
        stored: await createObject(context, request, apply(undefined), "applied"),
        created: true,
      };
    } catch (error) {
      const raced = hasReason(error, "AlreadyExists") || hasReason(error, "NotFound");
      const exists = context.store.get(objectKey(kind, namespace, name)) !== undefined;
      if (!raced || exists === hasReason(error, "NotFound") || subresource !== "") throw error;
    }
  }
  throw conflict(kind, name);
}

function checkNew(kind: Kind, name: string, config: KubeObject): void {
  const { uid, resourceVersion } = config.metadata;
  if (config.metadata.name !== name) {
    throw statusError(
      "BadRequest",
      `the name of the object (${config.metadata.name ?? ""}) does not match the name on the URL (${name})`,
    );
  }
  if (uid !== undefined && uid !== "") {
    const why = `uid mismatch: the provided object specified uid ${uid}, and no existing object was found`;
    throw conflict(kind, name, why);
  }
  if (resourceVersion !== undefined && resourceVersion !== "") throw conflict(kind, name);
}
