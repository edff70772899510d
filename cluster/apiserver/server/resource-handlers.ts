/** The verbs on objects: read the request, let the registry do it, say what came of it. */

import { hasReason, statusError } from "#cluster/api/status-error.ts";
import type { KubeObject } from "#cluster/api/meta.ts";
import { authorize, refusal } from "#cluster/apiserver/auth/authorize.ts";
import type { Kind } from "#cluster/apiserver/kinds/kind.ts";
import { applyObject, parseConfiguration } from "#cluster/apiserver/registry/apply.ts";
import type { RegistryContext } from "#cluster/apiserver/registry/context.ts";
import { deleteObject, parseDeleteOptions } from "#cluster/apiserver/registry/delete.ts";
import { methodNotAllowed } from "#cluster/apiserver/registry/errors.ts";
import { dryRunOf, fieldValidationOf, parseObject } from "#cluster/apiserver/registry/input.ts";
import { settleNamespace } from "#cluster/apiserver/registry/metadata.ts";
import { objectOf } from "#cluster/apiserver/registry/object-codec.ts";
import { APPLY_PATCH, parsePatch } from "#cluster/apiserver/registry/patch.ts";
import { getStored, listStored } from "#cluster/apiserver/registry/read.ts";
import {
  createObject,
  updateObject,
  type WriteRequest,
} from "#cluster/apiserver/registry/write.ts";
import type { StoredValue } from "#cluster/storage/store.ts";
import { success, type Answer } from "./answer.ts";
import { decodeBody, mediaType, parseJson, parseYaml } from "./decode.ts";
import { applyOptionsOf, managerOf, refuseForce } from "./field-manager.ts";
import type { ResourceRequest } from "./request.ts";
import { watchAnswer } from "./watch-stream.ts";

/** Of the whole object and of `status`; the other subresources have handlers of their own. */
export async function handleObject(
  context: RegistryContext,
  kind: Kind,
  request: ResourceRequest,
): Promise<Answer> {
  const { verb } = request.info;
  if (!kind.verbs.includes(verb)) throw methodNotAllowed(request.method);
  switch (verb) {
    case "get":
      return {
        kind: "stored",
        code: 200,
        of: kind,
        stored: getStored(context.store, kind, request.info),
      };
    case "list": {
      const { namespace } = request.info;
      return {
        kind: "list",
        of: kind,
        ...listStored(context.store, kind, namespace, request.query),
      };
    }
    case "watch":
      return watchAnswer(context, kind, request);
    case "create":
      return create(context, kind, request);
    case "update":
      return update(context, kind, request);
    case "patch":
      return patch(context, kind, request);
    case "delete":
      return remove(context, kind, request);
    case "deletecollection":
      return removeAll(context, kind, request);
  }
}

export function writeRequest(kind: Kind, request: ResourceRequest): WriteRequest {
  const { info, user, warnings, signal, query } = request;
  const { namespace, name, subresource } = info;
  const dryRun = dryRunOf(query.getAll("dryRun"));
  return {
    kind,
    namespace: kind.namespaced ? namespace : "",
    name,
    subresource,
    user,
    dryRun,
    warnings,
    signal,
    manager: managerOf(request),
  };
}

async function create(
  context: RegistryContext,
  kind: Kind,
  request: ResourceRequest,
): Promise<Answer> {
  const { info, warnings, query } = request;
  if (info.name !== "") throw methodNotAllowed(request.method);
  const options = { fieldValidation: fieldValidationOf(query), warnings };
  const body = decodeBody(request.headers["content-type"], await request.readBody());
  const object = parseObject(kind, body, options);
  if (kind.namespaced && info.namespace === "") {
    throw statusError("BadRequest", `${kind.plural}: a namespace is required in the path`);
  }
  settleNamespace(kind, object, info.namespace);
  const stored = await createObject(context, writeRequest(kind, request), object);
  return { kind: "stored", code: 201, of: kind, stored };
}

async function update(
  context: RegistryContext,
  kind: Kind,
  request: ResourceRequest,
): Promise<Answer> {
  const { info, warnings, query } = request;
  const options = { fieldValidation: fieldValidationOf(query), warnings };
  const body = decodeBody(request.headers["content-type"], await request.readBody());
  const object = parseObject(kind, body, options);
  settleNamespace(kind, object, info.namespace);
  const change = (): typeof object => structuredClone(object);
  const stored = await updateObject(context, writeRequest(kind, request), change);
  return { kind: "stored", code: 200, of: kind, stored };
}

async function patch(
  context: RegistryContext,
  kind: Kind,
  request: ResourceRequest,
): Promise<Answer> {
  const { info, warnings, query } = request;
  const fieldValidation = fieldValidationOf(query);
  const [type, body] = await readPatch(request);
  if (type === APPLY_PATCH) {
    const config = parseConfiguration(kind, body, info.namespace);
    const { stored, created } = await apply(context, kind, request, config);
    return { kind: "stored", code: created ? 201 : 200, of: kind, stored };
  }
  refuseForce(request);
  const change = parsePatch(kind, type, body);
  const stored = await updateObject(context, writeRequest(kind, request), (current) => {
    // A retry would say the same warnings once more.
    const repeated: string[] = [];
    const object = parseObject(kind, change(current), { fieldValidation, warnings: repeated });
    warnings.splice(0, warnings.length, ...repeated);
    settleNamespace(kind, object, info.namespace);
    return object;
  });
  return { kind: "stored", code: 200, of: kind, stored };
}

/** Lays a configuration over the object of the path, or makes it, if the user may do that too. */
export async function apply(
  context: RegistryContext,
  kind: Kind,
  request: ResourceRequest,
  config: KubeObject,
): Promise<{ stored: StoredValue; created: boolean }> {
  const { manager, force } = applyOptionsOf(request);
  const { info, user } = request;
  const creation = { ...info, verb: "create" } as const;
  const mayCreate = (): void => {
    if (authorize(user, creation) === undefined) throw refusal(user, creation);
  };
  const write = { ...writeRequest(kind, request), manager };
  return applyObject(context, write, { config, force, mayCreate });
}

/** Media type and parsed body; apply patches are YAML, the others JSON. */
export async function readPatch(request: ResourceRequest): Promise<[string, unknown]> {
  const type = mediaType(request.headers["content-type"]);
  const body = await request.readBody();
  // What isn't text is refused by its type, not by what is in it.
  if (type.endsWith("+cbor")) return [type, undefined];
  return [type, type.endsWith("+yaml") ? parseYaml(body) : parseJson(body)];
}

async function remove(
  context: RegistryContext,
  kind: Kind,
  request: ResourceRequest,
): Promise<Answer> {
  const body = decodeBody(request.headers["content-type"], await request.readBody());
  const options = parseDeleteOptions(body, request.query);
  const deleted = await deleteObject(context, writeRequest(kind, request), options);
  if (deleted.kind === "marked") {
    return { kind: "stored", code: 200, of: kind, stored: deleted.stored };
  }
  return success(kind, deleted.object);
}

async function removeAll(
  context: RegistryContext,
  kind: Kind,
  request: ResourceRequest,
): Promise<Answer> {
  const body = decodeBody(request.headers["content-type"], await request.readBody());
  const options = parseDeleteOptions(body, request.query);
  const listed = listStored(context.store, kind, request.info.namespace, request.query);
  const base = writeRequest(kind, request);
  const deletions = listed.values.map((stored) => {
    const { name, namespace = "", uid } = objectOf(kind, stored).metadata;
    // Another deletion may have come first; an object of the same name is not meant.
    return deleteObject(context, { ...base, name, namespace }, { ...options, uid }).catch(
      ignoreGone,
    );
  });
  await Promise.all(deletions);
  return { kind: "list", of: kind, ...listed };
}

function ignoreGone(error: unknown): void {
  if (!hasReason(error, "NotFound") && !hasReason(error, "Conflict")) throw error;
}
