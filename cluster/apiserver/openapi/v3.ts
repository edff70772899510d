/** OpenAPI v3: the index of `/openapi/v3` and one document a group and version. */

import { createHash } from "node:crypto";
import type { Kind } from "#cluster/apiserver/kinds/kind.ts";
import type { JsonObject } from "#cluster/apiserver/schema/json.ts";
import { META } from "#cluster/apiserver/schema/messages.ts";
import { pathsOf, type OperationForm } from "./paths.ts";
import { PublishedDefinitions, V3 } from "./published.ts";

export interface OpenApiDocument {
  /** The JSON as it is sent. */
  text: string;
  /** Of the text; the `hash` parameter and the ETag. */
  hash: string;
}

export interface OpenApiIndex {
  paths: Record<string, { serverRelativeURL: string }>;
}

/** `api/v1` and `apis/GROUP/VERSION` → where its document is; the hash makes it cacheable. */
export function openApiV3Index(kinds: readonly Kind[]): OpenApiIndex {
  const paths: OpenApiIndex["paths"] = {};
  for (const path of new Set(kinds.map(pathOf))) {
    const document = openApiV3Document(kinds, path);
    if (document !== undefined) {
      paths[path] = { serverRelativeURL: `/openapi/v3/${path}?hash=${document.hash}` };
    }
  }
  return { paths };
}

/** The document of `api/v1` or `apis/GROUP/VERSION`, or undefined when no kind is there. */
export function openApiV3Document(
  kinds: readonly Kind[],
  path: string,
): OpenApiDocument | undefined {
  const own = kinds.filter((kind) => pathOf(kind) === path);
  const [first] = own;
  if (first === undefined) return undefined;
  const known = cache.get(first);
  if (known !== undefined && sameKinds(known.kinds, own)) return known.document;
  const document = build(own);
  cache.set(first, { kinds: own, document });
  return document;
}

/** By the first kind of a document; rows are never changed, so equal rows mean the same text. */
const cache = new WeakMap<Kind, { kinds: readonly Kind[]; document: OpenApiDocument }>();

function sameKinds(a: readonly Kind[], b: readonly Kind[]): boolean {
  return a.length === b.length && a.every((kind, index) => kind === b[index]);
}

function pathOf(kind: Kind): string {
  return kind.group === "" ? `api/${kind.version}` : `apis/${kind.group}/${kind.version}`;
}

function build(kinds: readonly Kind[]): OpenApiDocument {
  const definitions = new PublishedDefinitions(V3);
  const shared = {
    deleteOptions: definitions.reference(`${META}.DeleteOptions`),
    status: definitions.reference(`${META}.Status`),
    patch: definitions.reference(`${META}.Patch`),
  };
  const paths: JsonObject = {};
  for (const kind of kinds) {
    Object.assign(paths, pathsOf(kind, { ...definitions.addKind(kind), ...shared }, FORM));
  }
  const text = JSON.stringify({
    openapi: "3.0.0",
    info: { title: "Kubernetes", version: "lateen" },
    paths,
    components: { schemas: definitions.schemas() },
  });
  return { text, hash: createHash("sha256").update(text).digest("hex").toUpperCase() };
}

const FORM: OperationForm = {
  queryParameter: (name, type, description) => ({
    name,
    in: "query",
    description,
    schema: { type, uniqueItems: true },
  }),
  pathParameter: (name) => ({
    name,
    in: "path",
    required: true,
    schema: { type: "string", uniqueItems: true },
  }),
  body: (schema, mediaTypes) => ({
    requestBody: { content: content(schema, mediaTypes) },
  }),
  response: (schema) => ({
    description: "OK",
    content: content(schema, ["application/json", "application/yaml"]),
  }),
};

function content(schema: JsonObject, mediaTypes: readonly string[]): JsonObject {
  return Object.fromEntries(mediaTypes.map((type) => [type, { schema }]));
}
