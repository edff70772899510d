/** Subresources other than `status`: scale, binding, eviction, token, finalize, log. */

import type { KubeObject } from "#cluster/api/meta.ts";
import { apiVersionOf } from "#cluster/api/resources.ts";
import { statusError } from "#cluster/api/status-error.ts";
import type { Kind } from "#cluster/apiserver/kinds/kind.ts";
import { bindPod, markForEviction } from "#cluster/apiserver/registry/pod-changes.ts";
import type { RegistryContext } from "#cluster/apiserver/registry/context.ts";
import { deleteObject, parseDeleteOptions } from "#cluster/apiserver/registry/delete.ts";
import { methodNotAllowed, noSuchResource } from "#cluster/apiserver/registry/errors.ts";
import { parseObject } from "#cluster/apiserver/registry/input.ts";
import { freshObject, objectOf } from "#cluster/apiserver/registry/object-codec.ts";
import { APPLY_PATCH, parsePatch } from "#cluster/apiserver/registry/patch.ts";
import { getStored } from "#cluster/apiserver/registry/read.ts";
import { fromScale, toScale } from "#cluster/apiserver/registry/scale.ts";
import { updateObject } from "#cluster/apiserver/registry/write.ts";
import { at, isObject } from "#cluster/apiserver/schema/json.ts";
import { objectAnswer, success, type Answer } from "./answer.ts";
import { decodeBody } from "./decode.ts";
import { refuseForce } from "./field-manager.ts";
import type { ResourceRequest } from "./request.ts";
import { apply, handleObject, readPatch, writeRequest } from "./resource-handlers.ts";

/** What only a part of the server beyond the registry can answer. */
export interface SubresourceParts {
  /** TokenRequest (`serviceaccounts/NAME/token`). */
  createToken(request: ResourceRequest, body: unknown): Promise<KubeObject>;
  /** `pods/NAME/log`. */
  podLog(request: ResourceRequest, pod: Readonly<KubeObject>): Answer;
}

type Handler = (
  context: RegistryContext & { parts: SubresourceParts },
  kind: Kind,
  request: ResourceRequest,
) => Promise<Answer>;

/** `resource/subresource` of the core group. */
const CORE: ReadonlyMap<string, Handler> = new Map<string, Handler>([
  ["pods/binding", bind],
  ["pods/eviction", evict],
  ["pods/log", log],
  ["pods/exec", upgradeOnly],
  ["pods/attach", upgradeOnly],
  ["pods/portforward", upgradeOnly],
  ["serviceaccounts/token", createToken],
  ["namespaces/finalize", finalize],
]);

export const CORE_SUBRESOURCES: readonly string[] = [...CORE.keys()];

/** Throws NotFound where the kind has no such subresource. */
export async function handleSubresource(
  context: RegistryContext & { parts: SubresourceParts },
  kind: Kind,
  request: ResourceRequest,
): Promise<Answer> {
  const { subresource, verb } = request.info;
  if (subresource === "status" && kind.statusSubresource) {
    if (verb === "get" || verb === "update" || verb === "patch") {
      return handleObject(context, kind, request);
    }
    throw methodNotAllowed(request.method);
  }
  if (subresource === "scale" && kind.scale !== undefined) return scale(context, kind, request);
  const handler = kind.group === "" ? CORE.get(`${kind.plural}/${subresource}`) : undefined;
  if (handler === undefined) throw noSuchResource();
  return handler(context, kind, request);
}

async function scale(
  context: RegistryContext,
  kind: Kind,
  request: ResourceRequest,
): Promise<Answer> {
  const { verb } = request.info;
  const { scale: paths } = kind;
  if (paths === undefined) throw noSuchResource();
  if (verb === "get") {
    const stored = getStored(context.store, kind, request.info);
    return objectAnswer(toScale(paths, objectOf(kind, stored)));
  }
  if (verb !== "update" && verb !== "patch") throw methodNotAllowed(request.method);
  let change: (current: KubeObject) => KubeObject;
  if (verb === "update") {
    const body = decodeBody(request.headers["content-type"], await request.readBody());
    change = (current) => fromScale(kind, current, body);
  } else {
    // A Scale is no row of the table, and strategic merge of its few fields is a plain merge.
    const [type, patch] = await readPatch(request);
    if (type === APPLY_PATCH) return applyScale(context, kind, request, patch);
    refuseForce(request);
    const plain = type.replace("strategic-merge", "merge");
    const merge = parsePatch({ ...kind, custom: true }, plain, patch);
    change = (current) => fromScale(kind, current, merge(toScale(paths, current)));
  }
  const stored = await updateObject(context, writeRequest(kind, request), change);
  return objectAnswer(toScale(paths, objectOf(kind, stored)));
}

/** The replicas of a Scale, applied as the one field of the object that they are. */
async function applyScale(
  context: RegistryContext,
  kind: Kind,
  request: ResourceRequest,
  scale: unknown,
): Promise<Answer> {
  const { name, namespace } = request.info;
  const metadata = { name, ...(kind.namespaced ? { namespace } : {}) };
  const empty: KubeObject = { apiVersion: apiVersionOf(kind), kind: kind.kind, metadata };
  const { stored } = await apply(context, kind, request, fromScale(kind, empty, scale));
  const { scale: paths } = kind;
  if (paths === undefined) throw noSuchResource();
  return objectAnswer(toScale(paths, objectOf(kind, stored)));
}

async function bind(
  context: RegistryContext,
  kind: Kind,
  request: ResourceRequest,
): Promise<Answer> {
  requireCreate(request);
  const body = decodeBody(request.headers["content-type"], await request.readBody());
  const node = at(body, "target", "name");
  if (typeof node !== "string" || node === "") {
    throw statusError("BadRequest", "target.name: the name of the node is required");
  }
  const uid = at(body, "metadata", "uid");
  const now = context.now();
  const stored = await updateObject(
    context,
    writeRequest(kind, request),
    (pod) => bindPod(kind, pod, { node, uid: typeof uid === "string" ? uid : undefined, now }),
    "kept",
  );
  return success(kind, objectOf(kind, stored), 201);
}

async function evict(
  context: RegistryContext,
  kind: Kind,
  request: ResourceRequest,
): Promise<Answer> {
  requireCreate(request);
  const body = decodeBody(request.headers["content-type"], await request.readBody());
  const options = parseDeleteOptions(isObject(body) ? body.deleteOptions : {}, request.query);
  const pod = objectOf(kind, getStored(context.store, kind, request.info));
  if (!options.dryRun && pod.metadata.deletionTimestamp === undefined) {
    const write = writeRequest(kind, request);
    const mark = (current: KubeObject): KubeObject => markForEviction(current, context.now());
    await updateObject(context, write, mark, "kept");
  }
  await deleteObject(context, writeRequest(kind, request), options);
  return success(kind, pod, 201);
}

async function log(
  context: RegistryContext & { parts: SubresourceParts },
  kind: Kind,
  request: ResourceRequest,
): Promise<Answer> {
  if (request.info.verb !== "get") throw methodNotAllowed(request.method);
  const pod = objectOf(kind, getStored(context.store, kind, request.info));
  return context.parts.podLog(request, pod);
}

/** Upgraded connections never come here: the listener tunnels them. */
function upgradeOnly(): Promise<Answer> {
  throw statusError("BadRequest", "Upgrade request required: this server speaks WebSocket here");
}

async function createToken(
  context: RegistryContext & { parts: SubresourceParts },
  kind: Kind,
  request: ResourceRequest,
): Promise<Answer> {
  requireCreate(request);
  getStored(context.store, kind, request.info);
  const body = decodeBody(request.headers["content-type"], await request.readBody());
  return objectAnswer(await context.parts.createToken(request, body), 201);
}

/** The Namespace controller takes away `spec.finalizers` when the namespace is empty. */
async function finalize(
  context: RegistryContext,
  kind: Kind,
  request: ResourceRequest,
): Promise<Answer> {
  if (request.info.verb !== "update") throw methodNotAllowed(request.method);
  const body = decodeBody(request.headers["content-type"], await request.readBody());
  const options = { fieldValidation: "Ignore", warnings: request.warnings } as const;
  const { spec, metadata } = parseObject(kind, body, options);
  const stored = await updateObject(context, writeRequest(kind, request), (current) => ({
    ...current,
    metadata: { ...current.metadata, resourceVersion: metadata.resourceVersion },
    spec,
  }));
  return { kind: "object", code: 200, object: freshObject(kind, stored) };
}

function requireCreate(request: ResourceRequest): void {
  if (request.info.verb !== "create") throw methodNotAllowed(request.method);
}
