/** From a request to its answer: authorization, then the handler of its path. */

import { API_VERSION_INFO } from "./version.ts";
import type { Authenticator } from "#cluster/apiserver/auth/authenticate.ts";
import { authorize, refusal } from "#cluster/apiserver/auth/authorize.ts";
import { findReview, type ReviewResource } from "#cluster/apiserver/auth/reviews.ts";
import type { Discovery } from "#cluster/apiserver/discovery/discovery.ts";
import {
  OPENAPI_V2_PROTOBUF,
  OPENAPI_V2_PROTOBUF_ANSWER,
} from "#cluster/apiserver/openapi/v2-protobuf.ts";
import { openApiV2Document, type OpenApiV2Document } from "#cluster/apiserver/openapi/v2.ts";
import { openApiV3Document, openApiV3Index } from "#cluster/apiserver/openapi/v3.ts";
import type { RegistryContext } from "#cluster/apiserver/registry/context.ts";
import { methodNotAllowed, noSuchResource } from "#cluster/apiserver/registry/errors.ts";
import type { KubeObject } from "#cluster/api/meta.ts";
import { statusError } from "#cluster/api/status-error.ts";
import { isObject } from "#cluster/apiserver/schema/json.ts";
import { objectAnswer, type Answer } from "./answer.ts";
import { decodeBody } from "./decode.ts";
import type { RequestMetrics } from "./metrics.ts";
import { parseAccept } from "./negotiate.ts";
import { isResourceRequest, type ApiRequest, type ResourceRequest } from "./request.ts";
import { handleObject } from "./resource-handlers.ts";
import { handleSubresource, type SubresourceParts } from "./subresource-handlers.ts";

export interface Api {
  context: RegistryContext;
  authenticator: Authenticator;
  discovery: Discovery;
  metrics: RequestMetrics;
  parts: SubresourceParts;
  /** Whether everything that requests need is there. */
  ready(): boolean;
}

/** Throws a StatusError for everything that is refused. */
export async function route(api: Api, request: ApiRequest): Promise<Answer> {
  if (authorize(request.user, request.info) === undefined) {
    throw refusal(request.user, request.info);
  }
  if (!isResourceRequest(request)) return routePath(api, request);
  const { group, version, plural, subresource } = request.info;
  const review = findReview(group, version, plural);
  if (review !== undefined) return answerReview(api, review, request);
  const kind = api.context.kinds.find(group, version, plural);
  if (kind === undefined) throw noSuchResource();
  if (subresource === "") return handleObject(api.context, kind, request);
  return handleSubresource({ ...api.context, parts: api.parts }, kind, request);
}

/** Whether a request is for something that exists here, so that metrics may name it. */
export function isKnown(api: Api, { info }: Pick<ApiRequest, "info">): boolean {
  if (info.kind === "path") return true;
  const { group, version, plural } = info;
  return (
    api.context.kinds.find(group, version, plural) !== undefined ||
    findReview(group, version, plural) !== undefined
  );
}

async function routePath(api: Api, request: ApiRequest): Promise<Answer> {
  if (request.method !== "GET" && request.method !== "HEAD") throw methodNotAllowed(request.method);
  const { path } = request;
  const [root = ""] = path.split("/").filter(Boolean);
  switch (root) {
    case "":
      return objectAnswer({ paths: PATHS });
    case "livez":
      return plain(200, "ok");
    case "readyz":
    case "healthz":
      return api.ready() ? plain(200, "ok") : plain(503, "not ready");
    case "version":
      return objectAnswer(API_VERSION_INFO);
    case "metrics":
      return plain(200, api.metrics.text(api.context.store.revision), "text/plain; version=0.0.4");
    case "api":
    case "apis":
      return api.discovery.answer(path, request.headers);
    case "openapi":
      return openApi(api, request);
    case ".well-known":
    case "openid":
      return openId(api, path);
    default:
      throw noSuchResource();
  }
}

const PATHS = [
  "/.well-known/openid-configuration",
  "/api",
  "/apis",
  "/healthz",
  "/livez",
  "/metrics",
  "/openapi/v2",
  "/openapi/v3",
  "/openid/v1/jwks",
  "/readyz",
  "/version",
];

function openApi({ context }: Api, request: ApiRequest): Answer {
  const kinds = context.kinds.all;
  const path = request.path.replace(/\/+$/, "");
  if (path === "/openapi/v3") return objectAnswer(openApiV3Index(kinds));
  if (path === "/openapi/v2") return openApiV2(openApiV2Document(kinds), request);
  const document = path.startsWith("/openapi/v3/")
    ? openApiV3Document(kinds, path.slice("/openapi/v3/".length))
    : undefined;
  if (document === undefined) throw noSuchResource();
  return documentAnswer(document, request);
}

/** The first form that the client accepts; client-go asks for protobuf and for nothing else. */
function openApiV2(document: OpenApiV2Document, request: ApiRequest): Answer {
  const accepted = parseAccept(request.headers.accept).map(({ type }) => type);
  const json = ["application/json", "application/*", "*/*"];
  const type = accepted.find((name) => name === OPENAPI_V2_PROTOBUF || json.includes(name));
  if (accepted.length > 0 && type === undefined) {
    const offered = `application/json or ${OPENAPI_V2_PROTOBUF}`;
    throw statusError("NotAcceptable", `/openapi/v2 is served as ${offered}`);
  }
  if (type !== OPENAPI_V2_PROTOBUF) return documentAnswer(document, request);
  const hash = `${document.hash}-PB`;
  return documentAnswer({ text: document.protobuf(), hash }, request, OPENAPI_V2_PROTOBUF_ANSWER);
}

function documentAnswer(
  document: { text: string | Uint8Array; hash: string },
  request: ApiRequest,
  contentType = "application/json",
): Answer {
  const etag = `"${document.hash}"`;
  const known = request.headers["if-none-match"] === etag;
  // With its hash in the address a document never changes.
  const forever = request.query.get("hash") === document.hash;
  const caching = forever ? "public, immutable, max-age=31536000" : "no-cache, private";
  const headers = { "content-type": contentType, etag, "cache-control": caching };
  return { kind: "bytes", code: known ? 304 : 200, headers, body: known ? "" : document.text };
}

/** OpenID discovery: how others check ServiceAccount tokens. */
async function openId({ authenticator: { tokens } }: Api, path: string): Promise<Answer> {
  if (path === "/openid/v1/jwks") return objectAnswer(await tokens.jwks());
  if (path !== "/.well-known/openid-configuration") throw noSuchResource();
  return objectAnswer({
    issuer: tokens.issuer,
    jwks_uri: `${tokens.issuer}/openid/v1/jwks`,
    response_types_supported: ["id_token"],
    subject_types_supported: ["public"],
    id_token_signing_alg_values_supported: ["ES256"],
  });
}

async function answerReview(
  { authenticator }: Api,
  review: ReviewResource,
  request: ResourceRequest,
): Promise<Answer> {
  const { verb, name } = request.info;
  if (verb !== "create" || name !== "") throw methodNotAllowed(request.method);
  const body = decodeBody(request.headers["content-type"], await request.readBody()) ?? {};
  if (!isObject(body)) throw statusError("BadRequest", `the body must be a ${review.kind}`);
  const object = { ...body, metadata: isObject(body.metadata) ? body.metadata : {} };
  const status = await review.answer(object as unknown as KubeObject, {
    user: request.user,
    authenticator,
  });
  const apiVersion = `${review.group}/${review.version}`;
  return objectAnswer({ ...object, kind: review.kind, apiVersion, status }, 201);
}

function plain(code: number, body: string, type = "text/plain; charset=utf-8"): Answer {
  return { kind: "bytes", code, headers: { "content-type": type }, body };
}
