/** The paths and operations of a kind, as OpenAPI lists them. */

import type { Kind } from "#cluster/apiserver/kinds/kind.ts";
import type { JsonObject } from "#cluster/apiserver/schema/json.ts";

/** References to the types that operations take and give. */
export interface KindReferences {
  object: JsonObject;
  list: JsonObject;
  deleteOptions: JsonObject;
  status: JsonObject;
  patch: JsonObject;
}

interface Verb {
  method: "get" | "post" | "put" | "patch" | "delete";
  /** x-kubernetes-action. */
  action: string;
  /** Begins the operation's id. */
  id: string;
}

const COLLECTION: readonly Verb[] = [
  { method: "get", action: "list", id: "list" },
  { method: "post", action: "post", id: "create" },
  { method: "delete", action: "deletecollection", id: "deleteCollection" },
];
const OBJECT: readonly Verb[] = [
  { method: "get", action: "get", id: "read" },
  { method: "put", action: "put", id: "replace" },
  { method: "patch", action: "patch", id: "patch" },
  { method: "delete", action: "delete", id: "delete" },
];
const SUBRESOURCE = OBJECT.filter((verb) => verb.method !== "delete");

const PATCH_TYPES = ["application/json-patch+json", "application/merge-patch+json"];
/** Kubectl looks here for whether a kind may be patched that way: custom kinds may not. */
const STRATEGIC = "application/strategic-merge-patch+json";
const APPLY = "application/apply-patch+yaml";
const BODY_TYPES = ["application/json", "application/yaml"];

/** How a dialect of OpenAPI says parameters, bodies and answers. */
export interface OperationForm {
  queryParameter: (name: string, type: string, description: string) => JsonObject;
  pathParameter: (name: string) => JsonObject;
  body: (schema: JsonObject, mediaTypes: readonly string[]) => JsonObject;
  response: (schema: JsonObject) => JsonObject;
}

/** Path → item, of a kind with its namespaced form, its status and its scale. */
export function pathsOf(kind: Kind, refs: KindReferences, form: OperationForm): JsonObject {
  const root = kind.group === "" ? "/api/v1" : `/apis/${kind.group}/${kind.version}`;
  const place = kind.namespaced ? `${root}/namespaces/{namespace}` : root;
  const collection = `${place}/${kind.plural}`;
  const object = `${collection}/{name}`;
  const context: Context = { kind, refs, form };
  const paths: JsonObject = {
    [collection]: item(context, COLLECTION, ""),
    [object]: item(context, OBJECT, "", "name"),
  };
  if (kind.namespaced) {
    const [list] = COLLECTION;
    if (list !== undefined) {
      paths[`${root}/${kind.plural}`] = { get: operation(context, list, "", "ForAllNamespaces") };
    }
  }
  if (kind.statusSubresource)
    paths[`${object}/status`] = item(context, SUBRESOURCE, "Status", "name");
  return paths;
}

interface Context {
  kind: Kind;
  refs: KindReferences;
  form: OperationForm;
}

function item(
  context: Context,
  verbs: readonly Verb[],
  subresource: string,
  name?: "name",
): JsonObject {
  const { kind, form } = context;
  const result: JsonObject = {};
  for (const verb of verbs) result[verb.method] = operation(context, verb, subresource);
  const parameters = [
    ...(name === undefined ? [] : [form.pathParameter("name")]),
    ...(kind.namespaced ? [form.pathParameter("namespace")] : []),
    form.queryParameter("pretty", "string", "Whether the answer is indented."),
  ];
  return { ...result, parameters };
}

function operation(context: Context, verb: Verb, subresource: string, suffix = ""): JsonObject {
  const { kind, refs, form } = context;
  const { parameters, ...rest } = withBody(context, verb);
  const scope = kind.namespaced && suffix === "" ? "Namespaced" : "";
  return {
    operationId: `${verb.id}${groupVersionName(kind)}${scope}${kind.kind}${subresource}${suffix}`,
    description: `${verb.id} ${kind.kind}`,
    ...rest,
    parameters: [...queryOf(verb, form), ...parameters],
    responses: {
      "200": form.response(answerOf(verb, refs)),
      "401": { description: "Unauthorized" },
    },
    "x-kubernetes-action": verb.action,
    "x-kubernetes-group-version-kind": {
      group: kind.group,
      version: kind.version,
      kind: kind.kind,
    },
  };
}

function answerOf(verb: Verb, refs: KindReferences): JsonObject {
  if (verb.action === "list") return refs.list;
  return verb.method === "delete" ? refs.status : refs.object;
}

/** The body's place: a member of the operation in v3, a parameter in v2. */
function withBody(
  { kind, refs, form }: Context,
  verb: Verb,
): JsonObject & { parameters: unknown[] } {
  const body = (
    schema: JsonObject,
    types: readonly string[],
  ): JsonObject & { parameters: unknown[] } => {
    const { parameters, ...rest } = form.body(schema, types);
    return { ...rest, parameters: Array.isArray(parameters) ? parameters : [] };
  };
  switch (verb.method) {
    case "get":
      return { parameters: [] };
    case "delete":
      return body(refs.deleteOptions, BODY_TYPES);
    case "patch":
      return body(refs.patch, [...PATCH_TYPES, ...(kind.custom ? [] : [STRATEGIC]), APPLY]);
    case "post":
    case "put":
      return body(refs.object, BODY_TYPES);
  }
}

function queryOf(verb: Verb, form: OperationForm): JsonObject[] {
  const query = form.queryParameter;
  const writes = [
    query("dryRun", "string", "With All, nothing is stored."),
    query("fieldManager", "string", "Who owns the fields that this request sets."),
    query("fieldValidation", "string", "What to do with unknown fields: Ignore, Warn or Strict."),
  ];
  const lists = [
    query("allowWatchBookmarks", "boolean", "Whether a watch may send bookmarks."),
    query("continue", "string", "Where the page before ended."),
    query("fieldSelector", "string", "Restricts by fields."),
    query("labelSelector", "string", "Restricts by labels."),
    query("limit", "integer", "The most objects of a page."),
    query("resourceVersion", "string", "The version to begin from."),
    query("resourceVersionMatch", "string", "How resourceVersion is meant."),
    query("sendInitialEvents", "boolean", "Whether a watch begins with what exists."),
    query("timeoutSeconds", "integer", "When a watch ends."),
    query("watch", "boolean", "Whether to send changes as they come."),
  ];
  const removal = [
    query("dryRun", "string", "With All, nothing is removed."),
    query("gracePeriodSeconds", "integer", "Seconds until the object is gone."),
    query("propagationPolicy", "string", "What becomes of dependents."),
  ];
  switch (verb.action) {
    case "list":
      return lists;
    case "get":
      return [];
    case "delete":
      return removal;
    case "deletecollection":
      return [...removal, ...lists];
    case "patch":
      return [...writes, query("force", "boolean", "Whether apply takes fields of others.")];
    default:
      return writes;
  }
}

function groupVersionName(kind: Kind): string {
  const group = kind.group === "" ? "core" : (kind.group.split(".")[0] ?? kind.group);
  return capital(group) + capital(kind.version);
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
