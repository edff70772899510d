/** Definitions as OpenAPI publishes them: our schemas with references, required fields and words. */

import type { Kind } from "#cluster/apiserver/kinds/kind.ts";
import { definition, flatFields } from "#cluster/apiserver/schema/definitions.ts";
import { isObject, type JsonObject } from "#cluster/apiserver/schema/json.ts";
import { messageFields, META } from "#cluster/apiserver/schema/messages.ts";
import type { Schema } from "#cluster/apiserver/schema/schema.ts";
import { describeField, describeType } from "./descriptions.ts";

/** What differs between the two versions of OpenAPI. */
export interface Dialect {
  /** Prefix of a reference to a definition. */
  refPrefix: "#/components/schemas/" | "#/definitions/";
  /** v2 knows no anyOf, oneOf, not and nullable. */
  combinations: boolean;
}

export const V3: Dialect = { refPrefix: "#/components/schemas/", combinations: true };
export const V2: Dialect = { refPrefix: "#/definitions/", combinations: false };

/** Collects definitions and all that they refer to. */
export class PublishedDefinitions {
  readonly #dialect: Dialect;
  readonly #schemas = new Map<string, JsonObject>();

  constructor(dialect: Dialect) {
    this.#dialect = dialect;
  }

  /** Adds a built-in type and gives the reference to it. */
  reference(name: string): JsonObject {
    if (!this.#schemas.has(name)) {
      // Recursive types refer to themselves: the name is taken before the members are made.
      this.#schemas.set(name, {});
      this.#schemas.set(name, this.#publishBuiltIn(name));
    }
    return { $ref: `${this.#dialect.refPrefix}${name}` };
  }

  /** Adds the object and list types of a kind and names them. */
  addKind(kind: Kind): { object: JsonObject; list: JsonObject } {
    const name = publishedName(kind);
    const listName = kind.custom ? `${name}List` : listDefinition(name, kind);
    if (kind.custom) {
      this.#schemas.set(name, this.#publish(kind.schema));
      this.#schemas.set(listName, this.#listSchema(name));
    } else {
      this.reference(name);
      this.reference(listName);
    }
    this.#mark(name, kind, kind.kind);
    this.#mark(listName, kind, kind.listKind);
    const ref = (to: string): JsonObject => ({ $ref: `${this.#dialect.refPrefix}${to}` });
    return { object: ref(name), list: ref(listName) };
  }

  /** All definitions by name, sorted. */
  schemas(): JsonObject {
    return Object.fromEntries([...this.#schemas].toSorted(([a], [b]) => (a < b ? -1 : 1)));
  }

  #mark(name: string, kind: Kind, kindName: string): void {
    const schema = this.#schemas.get(name);
    if (schema === undefined) return;
    const gvk = { group: kind.group, version: kind.version, kind: kindName };
    schema["x-kubernetes-group-version-kind"] = [gvk];
  }

  #listSchema(itemName: string): JsonObject {
    const items = { $ref: `${this.#dialect.refPrefix}${itemName}` };
    return {
      type: "object",
      required: ["items"],
      properties: {
        apiVersion: { type: "string" },
        kind: { type: "string" },
        items: { type: "array", items },
        metadata: this.reference(`${META}.ListMeta`),
      },
    };
  }

  #publishBuiltIn(name: string): JsonObject {
    const words = describeType(name.split(".").at(-1) ?? name);
    const description = words === undefined ? {} : { description: words };
    const special = this.#special(name);
    if (special !== undefined) return { ...description, ...special };
    const schema = this.#publish(definition(name), name);
    const required = flatFields(name)
      .filter((field) => field.required === true && field.name !== "metadata")
      .map((field) => field.name);
    delete schema["required"];
    return { ...description, ...schema, ...(required.length > 0 ? { required } : {}) };
  }

  /** Types whose JSON is not described by members. */
  #special(name: string): JsonObject | undefined {
    if (messageFields(name) !== undefined) return undefined;
    const { format, type } = definition(name);
    if (format === "quantity") {
      if (!this.#dialect.combinations) return { type: "string" };
      return { oneOf: [{ type: "string" }, { type: "number" }] };
    }
    if (name.endsWith(".IntOrString")) {
      if (!this.#dialect.combinations) return { type: "string", format: "int-or-string" };
      return { format: "int-or-string", oneOf: [{ type: "integer" }, { type: "string" }] };
    }
    if (type === undefined) return {};
    return { type, ...(format === undefined || format === "duration" ? {} : { format }) };
  }

  /** `owner` is the built-in type that the schema describes, for the words about its fields. */
  #publish(schema: Schema, owner?: string): JsonObject {
    const published: JsonObject = {};
    for (const [keyword, value] of Object.entries(schema)) {
      if (value === undefined || keyword === "$ref" || this.#isLeftOut(keyword, schema)) continue;
      published[keyword] = this.#keyword(keyword, value, owner);
    }
    if (schema.$ref === undefined) return published;
    const reference = this.reference(schema.$ref);
    if (Object.keys(published).length === 0) return reference;
    // OpenAPI v3 ignores what stands beside a reference; readers of v2 know no allOf.
    return this.#dialect.combinations
      ? { ...published, allOf: [reference] }
      : { ...published, ...reference };
  }

  #isLeftOut(keyword: string, schema: Schema): boolean {
    // Our own format, which no other reader knows.
    if (keyword === "format" && schema.format === "re2") return true;
    return !this.#dialect.combinations && COMBINATIONS.has(keyword);
  }

  #keyword(keyword: string, value: unknown, owner: string | undefined): unknown {
    switch (keyword) {
      case "properties":
        return isObject(value) ? this.#properties(value, owner) : value;
      case "items":
      case "not":
      case "additionalProperties":
        return isObject(value) ? this.#publish(value) : value;
      case "allOf":
      case "anyOf":
      case "oneOf":
        return Array.isArray(value) ? value.filter(isObject).map((s) => this.#publish(s)) : value;
      default:
        return value;
    }
  }

  #properties(properties: JsonObject, owner: string | undefined): JsonObject {
    const published: JsonObject = {};
    const isKind = "apiVersion" in properties && "metadata" in properties;
    for (const [name, schema] of Object.entries(properties)) {
      if (!isObject(schema)) continue;
      const words = owner === undefined ? undefined : describeField(owner, name, isKind);
      const description = words === undefined ? {} : { description: words };
      published[name] = this.#publish({ ...description, ...schema });
    }
    return published;
  }
}

const COMBINATIONS = new Set(["allOf", "anyOf", "oneOf", "not", "nullable"]);

/** `io.k8s.api.core.v1.Pod`, or of a custom kind its group's labels reversed: `io.istio.….v1.X`. */
export function publishedName(kind: Kind): string {
  if (!kind.custom && kind.schema.$ref !== undefined) return kind.schema.$ref;
  const group = kind.group.split(".").toReversed().join(".");
  return `${group}.${kind.version}.${kind.kind}`;
}

function listDefinition(name: string, kind: Kind): string {
  return `${name.slice(0, -kind.kind.length)}${kind.listKind}`;
}
