/** OpenAPI v2 (`/openapi/v2`), for clients that don't know v3: one document of everything. */

import { createHash } from "node:crypto";
import type { Kind } from "#cluster/apiserver/kinds/kind.ts";
import type { JsonObject } from "#cluster/apiserver/schema/json.ts";
import { META } from "#cluster/apiserver/schema/messages.ts";
import { pathsOf, type OperationForm } from "./paths.ts";
import { PublishedDefinitions, V2 } from "./published.ts";
import { encodeOpenApiV2 } from "./v2-protobuf.ts";
import type { OpenApiDocument } from "./v3.ts";

/** The document in both of its forms; the hash stands for either. */
export interface OpenApiV2Document extends OpenApiDocument {
  /** The same in protobuf, made when it is first asked for. */
  protobuf(): Uint8Array;
}

/** Cached as long as the caller passes the same list. */
export function openApiV2Document(kinds: readonly Kind[]): OpenApiV2Document {
  const known = cache.get(kinds);
  if (known !== undefined) return known;
  const document = build(kinds);
  cache.set(kinds, document);
  return document;
}

const cache = new WeakMap<readonly Kind[], OpenApiV2Document>();

function build(kinds: readonly Kind[]): OpenApiV2Document {
  const definitions = new PublishedDefinitions(V2);
  const shared = {
    deleteOptions: definitions.reference(`${META}.DeleteOptions`),
    status: definitions.reference(`${META}.Status`),
    patch: definitions.reference(`${META}.Patch`),
  };
  const paths: JsonObject = {};
  for (const kind of kinds) {
    Object.assign(paths, pathsOf(kind, { ...definitions.addKind(kind), ...shared }, FORM));
  }
  const document = {
    swagger: "2.0",
    info: { title: "Kubernetes", version: "lateen" },
    paths,
    definitions: definitions.schemas(),
  };
  const text = JSON.stringify(document);
  const hash = createHash("sha256").update(text).digest("hex").toUpperCase();
  let encoded: Uint8Array | undefined;
  return { text, hash, protobuf: () => (encoded ??= encodeOpenApiV2(document)) };
}

const FORM: OperationForm = {
  queryParameter: (name, type, description) => ({
    name,
    in: "query",
    description,
    type,
    uniqueItems: true,
  }),
  pathParameter: (name) => ({ name, in: "path", required: true, type: "string" }),
  body: (schema, mediaTypes) => ({
    consumes: mediaTypes,
    parameters: [{ name: "body", in: "body", schema }],
  }),
  response: (schema) => ({ description: "OK", schema }),
};
